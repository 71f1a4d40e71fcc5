//! Cases as the centre's tables need them: folded, with their timers.

use wangge_model::case::{CaseView, Rulebook};
use wangge_model::deadline::{Timer, timers};
use wangge_model::document::DocumentView;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use crate::command::CommandError;
use crate::command::case::{Observed, book};
use crate::command::key::shown_cases;
use crate::replica::Replica;

/// A case with what its events come to.
pub(crate) struct CaseSeen {
    pub(crate) scope: Scope,
    pub(crate) view: DocumentView,
    pub(crate) case: CaseView,
    pub(crate) timers: Vec<Timer>,
}

impl CaseSeen {
    pub(crate) fn of(
        observed: &Observed<'_>,
        scope: Scope,
        view: DocumentView,
        book: &Rulebook,
    ) -> Result<Self, CommandError> {
        let case = observed.fold(book, &scope, &view)?;
        let timers = timers(&case, book);
        Ok(Self { scope, view, case, timers })
    }
}

/// The rules that cases fold under, as far as they are known here.
pub(crate) fn rulebook(replica: &Replica) -> Result<Rulebook, CommandError> {
    Ok(book(replica)?)
}

/// The cases of `scopes`, in no particular order.
pub(crate) fn all(replica: &Replica, scopes: &[Scope]) -> Result<Vec<CaseSeen>, CommandError> {
    let book = rulebook(replica)?;
    let observed = Observed::new(replica);
    let mut found = Vec::new();
    for scope in &shown_cases(replica, scopes) {
        let mut views = Vec::new();
        replica.each(scope, Kind::CASE, |view| {
            views.push(view);
            true
        })?;
        for view in views {
            found.push(CaseSeen::of(&observed, scope.clone(), view, &book)?);
        }
    }
    Ok(found)
}
