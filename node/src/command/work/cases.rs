//! Cases as the centre's tables need them: folded, with their timers.

use wangge_model::case::{self, CaseView, Rulebook};
use wangge_model::deadline::{Timer, timers};
use wangge_model::document::DocumentView;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use crate::command::CommandError;
use crate::replica::Replica;

/// A case with what its events come to.
pub(crate) struct CaseSeen {
    pub(crate) scope: Scope,
    pub(crate) view: DocumentView,
    pub(crate) case: CaseView,
    pub(crate) timers: Vec<Timer>,
}

impl CaseSeen {
    pub(crate) fn of(scope: Scope, view: DocumentView, book: &Rulebook) -> Self {
        let history = view.histories.get("events").map(Vec::as_slice).unwrap_or_default();
        let case = case::fold(view.id, history, &|_| None, book);
        let timers = timers(&case, book);
        Self { scope, view, case, timers }
    }
}

/// The rules that cases fold under, as far as they are known here.
pub(crate) fn rulebook(_replica: &Replica) -> Result<Rulebook, CommandError> {
    Ok(Rulebook::shipped())
}

/// The cases of `scopes`, in no particular order.
pub(crate) fn all(replica: &Replica, scopes: &[Scope]) -> Result<Vec<CaseSeen>, CommandError> {
    let book = rulebook(replica)?;
    let mut found = Vec::new();
    for scope in scopes {
        replica.each(scope, Kind::CASE, |view| {
            found.push(CaseSeen::of(scope.clone(), view, &book));
            true
        })?;
    }
    Ok(found)
}
