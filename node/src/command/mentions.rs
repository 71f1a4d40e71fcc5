//! Records that speak of a resident in words, or point to him: an order of erasure takes his own record and leaves
//! theirs, so somebody has to look at them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use wangge_model::checks::text::half_width;
use wangge_model::document::{DocumentView, Register, Scalar, Target as Place};
use wangge_model::identity::{DocId, Scope};
use wangge_model::photo::speaks_of;
use wangge_model::schema::{Kind, kinds};

use super::shown::{headline, label};
use super::units::Units;
use super::{Answer, CommandError};
use crate::replica::{Replica, ReplicaError};
use crate::text::{Message, Word};

/// Fewest characters of a number, and of a name, that are looked for: shorter ones stand everywhere.
const NUMBER_CHARS_MIN: usize = 6;
const NAME_CHARS_MIN: usize = 2;

/// What a resident is known by.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// ID numbers, passports, phones, as [`plain`] writes them.
    numbers: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Words {
    /// Adds all that a record of the resident says or ever said of him.
    pub(super) fn learn(
        &mut self,
        replica: &Replica,
        scope: &Scope,
        view: &DocumentView,
    ) -> Result<(), ReplicaError> {
        for change in replica.changes_of(scope, view.kind, &view.id)? {
            for op in change.ops {
                if let (Place::Field(field), Some(value)) = (&op.target, &op.value) {
                    self.add(field, &value.to_text());
                }
            }
        }
        for (field, register) in &view.fields {
            register.claims().for_each(|claim| self.add(field, &claim.value.to_text()));
        }
        Ok(())
    }

    /// Words that somebody typed: those with digits are numbers.
    pub(super) fn typed(typed: &[String]) -> Self {
        let mut words = Self::default();
        for word in typed {
            let is_number =
                word.chars().any(|c| half_width(&c.to_string()).contains(|d: char| d.is_ascii_digit()));
            words.add(if is_number { "id_number" } else { "name" }, word);
        }
        words
    }

    fn add(&mut self, field: &str, text: &str) {
        let plain = plain(text);
        match field {
            "id_number" | "document_number" | "permit_number" | "phone"
                if plain.chars().count() >= NUMBER_CHARS_MIN =>
            {
                self.numbers.insert(plain);
            }
            "name" | "former_name" | "foreign_name" if text.trim().chars().count() >= NAME_CHARS_MIN => {
                self.names.insert(text.trim().to_owned());
            }
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.names.is_empty()
    }

    fn told_by(&self, value: &Scalar) -> Option<Word> {
        let text = value.as_str()?;
        let plain = plain(text);
        if self.numbers.iter().any(|number| plain.contains(number)) {
            return Some(Word::ByNumber);
        }
        self.names.iter().any(|name| text.contains(name)).then_some(Word::ByName)
    }
}

/// Without what people put into numbers to read them better.
fn plain(text: &str) -> String {
    let kept = |c: &char| !c.is_whitespace() && *c != '-';
    half_width(text).chars().filter(kept).collect::<String>().to_uppercase()
}

/// A place where a record speaks of a resident.
pub(super) struct Mention {
    scope: Scope,
    view: DocumentView,
    /// The field, the set or the history.
    place: String,
    /// By what.
    by: Word,
    /// It was overwritten and stands in the record's history alone.
    is_old: bool,
}

/// All records here that speak of a resident, or did once, but for his `own`.
pub(super) fn mentions(
    replica: &Replica,
    own: &BTreeSet<DocId>,
    words: &Words,
) -> Result<Vec<Mention>, ReplicaError> {
    let mut found = Vec::new();
    let mut failed = None;
    for scope in replica.open_scopes() {
        for spec in kinds() {
            replica.each(&scope, spec.kind, |view| {
                if own.contains(&view.id) {
                    return true;
                }
                let now = places(&view, own, words);
                let old = match old_places(replica, &scope, &view, words) {
                    Ok(old) => {
                        old.into_iter().filter(|(place, _)| now.iter().all(|(known, _)| known != place))
                    }
                    Err(error) => {
                        failed = Some(error);
                        return false;
                    }
                };
                let told = now.iter().cloned().map(|told| (told, false)).chain(old.map(|told| (told, true)));
                found.extend(told.map(|((place, by), is_old)| Mention {
                    scope: scope.clone(),
                    view: view.clone(),
                    place,
                    by,
                    is_old,
                }));
                true
            })?;
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

fn places(view: &DocumentView, own: &BTreeSet<DocId>, words: &Words) -> Vec<(String, Word)> {
    let mut found: Vec<(String, Word)> = Vec::new();
    let mut note = |place: &str, by: Word| {
        if found.iter().all(|(known, _)| known != place) {
            found.push((place.to_owned(), by));
        }
    };
    let told = |register: &Register| register.claims().find_map(|claim| words.told_by(&claim.value));
    for (field, register) in &view.fields {
        match told(register) {
            Some(by) if !is_namesake(view.kind, field, by) => note(field, by),
            _ => {}
        }
    }
    for (set, entries) in &view.sets {
        for (key, register) in entries {
            if let Some(by) = words.told_by(&Scalar::from(key.as_str())).or_else(|| told(register)) {
                note(set, by);
            }
        }
    }
    for (history, events) in &view.histories {
        for by in events.iter().filter_map(|event| words.told_by(&event.value)) {
            note(history, by);
        }
    }
    if own.iter().any(|doc| speaks_of(view, doc)) {
        note("", Word::ByLink);
    }
    found
}

fn old_places(
    replica: &Replica,
    scope: &Scope,
    view: &DocumentView,
    words: &Words,
) -> Result<Vec<(String, Word)>, ReplicaError> {
    let mut found: Vec<(String, Word)> = Vec::new();
    for op in replica.changes_of(scope, view.kind, &view.id)?.into_iter().flat_map(|change| change.ops) {
        let place = match &op.target {
            Place::Field(name) | Place::Entry { container: name, .. } | Place::Event { container: name } => {
                name
            }
        };
        match op.value.as_ref().and_then(|value| words.told_by(value)) {
            Some(by)
                if !is_namesake(view.kind, place, by) && found.iter().all(|(known, _)| known != place) =>
            {
                found.push((place.clone(), by));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Somebody else of the same name says nothing of the resident.
fn is_namesake(kind: Kind, field: &str, by: Word) -> bool {
    kind == Kind::PERSON && by == Word::ByName && ["name", "former_name", "foreign_name"].contains(&field)
}

impl Mention {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.view.id.to_string(),
            "scope": self.scope,
            "kind": self.view.kind.to_string(),
            "field": self.place,
            "by": match self.by {
                Word::ByNumber => "number",
                Word::ByName => "name",
                _ => "link",
            },
            "old": self.is_old,
        })
    }

    /// In one line, numbers masked.
    fn line(&self, units: &Units) -> String {
        let place = match self.place.as_str() {
            "" => String::new(),
            history if self.view.histories.contains_key(history) => format!("{}:", Word::History.zh()),
            place => format!("{}:", label(self.view.kind, place)),
        };
        let old = if self.is_old { Word::InAnOldValue.zh() } else { "" };
        format!("  {}  {place}{}{old}", headline(units, &self.scope, &self.view), self.by.zh())
    }
}

/// What is to be said of them, for people.
pub(super) fn lines(units: &Units, mentions: &[Mention]) -> Vec<String> {
    let mut lines = vec![Message::EraseMentions { count: mentions.len() }.both()];
    lines.extend(mentions.iter().map(|mention| mention.line(units)));
    if !mentions.is_empty() {
        lines.push(Message::EraseMentionsStay.both());
    }
    lines
}

/// Looks for words, for after an erasure, when the record itself can no longer say them.
pub(super) fn look(replica: &Replica, typed: &[String]) -> Result<Answer, CommandError> {
    let words = Words::typed(typed);
    if words.is_empty() {
        return Err(CommandError::usage("text-missing", &Message::EraseWordsShort));
    }
    let units = Units::load(replica)?;
    let mentions = mentions(replica, &BTreeSet::new(), &words)?;
    let json = mentions.iter().map(Mention::to_json).collect();
    Ok(Answer { json, text: lines(&units, &mentions).join("\n") })
}
