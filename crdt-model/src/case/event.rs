//! Events of a case as they are written: JSON in one scalar, with a `kind`. Members and kinds that this
//! version does not know are kept and shown.

use serde_json::{Map, Value, json};

use crate::document::Scalar;
use crate::identity::{DocId, LogId, Role, Scope};
use crate::photo::{PHOTOS, PhotoRef};

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the table below names each in both languages")]
pub enum EventKind {
    Report,
    Note,
    CloseOnSpot,
    Verify,
    Register,
    Reject,
    Escalate,
    Dispatch,
    AppointLead,
    Accept,
    Return,
    Extend,
    Suspend,
    Resume,
    Feedback,
    Check,
    Evaluate,
    Archive,
    Urge,
    Supervise,
    Reopen,
    Merge,
}

impl EventKind {
    /// All events with their names and what people call them.
    pub const ALL: [(Self, &'static str, &'static str); 22] = [
        (Self::Report, "report", "上报"),
        (Self::Note, "note", "记录"),
        (Self::CloseOnSpot, "close-on-spot", "当场办结"),
        (Self::Verify, "verify", "核实"),
        (Self::Register, "register", "立案"),
        (Self::Reject, "reject", "不予受理"),
        (Self::Escalate, "escalate", "上报上级"),
        (Self::Dispatch, "dispatch", "派遣"),
        (Self::AppointLead, "appoint-lead", "牵头"),
        (Self::Accept, "accept", "接单"),
        (Self::Return, "return", "退回"),
        (Self::Extend, "extend", "延期"),
        (Self::Suspend, "suspend", "挂起"),
        (Self::Resume, "resume", "恢复"),
        (Self::Feedback, "feedback", "处理反馈"),
        (Self::Check, "check", "核查"),
        (Self::Evaluate, "evaluate", "评价"),
        (Self::Archive, "archive", "归档"),
        (Self::Urge, "urge", "催办"),
        (Self::Supervise, "supervise", "督办"),
        (Self::Reopen, "reopen", "重启"),
        (Self::Merge, "merge", "并案"),
    ];

    /// The word in the event and on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _, _)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// The word that people read.
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _, _)| *kind == self).map_or("", |(_, _, label)| label)
    }

    /// The event of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(kind, _, _)| *kind)
    }
}

/// Whom a case is given to: a unit, or one worker of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Target {
    /// The unit.
    pub scope: Scope,
    /// The worker, `None` for whoever of the unit takes it.
    pub worker: Option<DocId>,
}

/// Where an event of a team's order stands, once it has been carried over into the case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Via {
    /// The order.
    pub order: DocId,
    /// The team.
    pub team: Scope,
    /// Its log in the team's scope.
    pub log: LogId,
    /// Its position there.
    pub seq: u64,
    /// Its place in that change.
    pub index: u64,
    /// Who wrote it.
    pub worker: DocId,
    /// In which post.
    pub role: Role,
    /// When the relay observed it there, 0 if that is not known.
    pub observed_ms: u64,
}

/// What an event says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Told {
    /// The word that names it.
    pub word: String,
    /// The post in which its author acts.
    pub role: Option<Role>,
    /// Where he holds it.
    pub unit: Option<Scope>,
    /// Whom it is given to, or who leads.
    pub to: Vec<Target>,
    /// Why.
    pub reason: Option<String>,
    /// What there is to say.
    pub text: Option<String>,
    /// The outcome of a check.
    pub pass: Option<bool>,
    /// The score of an evaluation.
    pub score: Option<i64>,
    /// The case that this one is merged into.
    pub into: Option<DocId>,
    /// By how many days the time is extended.
    pub days: Option<u32>,
    /// Whether a request is turned down.
    pub refuse: bool,
    /// The line of business, in a report.
    pub category: Option<String>,
    /// How serious, 1 to 4, in a report.
    pub level: Option<u8>,
    /// Of a minor class, in a report.
    pub minor: bool,
    /// The rules that the case folds under, in a report; the shipped ones if it names none.
    pub rules: Option<String>,
    /// When it was written, if what happened was said to be earlier.
    pub recorded_ms: Option<u64>,
    /// The event of a team's order that it carries over.
    pub via: Option<Via>,
    /// Photos that show it.
    pub photos: Vec<PhotoRef>,
    /// Members that this version does not know.
    pub unknown: Map<String, Value>,
}

/// An event that says nothing readable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreadable;

impl Told {
    /// An event of that kind by `role` at `unit`.
    pub fn new(kind: EventKind, role: Role, unit: &Scope) -> Self {
        Self { word: kind.name().to_owned(), role: Some(role), unit: Some(unit.clone()), ..Self::default() }
    }

    /// What it is, `None` if a newer version wrote it.
    pub fn kind(&self) -> Option<EventKind> {
        EventKind::named(&self.word)
    }

    /// The word by which the merging rules know it.
    pub fn rule_word(&self) -> &str {
        match (self.kind(), self.pass) {
            (Some(EventKind::Check), Some(true)) => "check-pass",
            (Some(EventKind::Check), _) => "check-fail",
            _ => &self.word,
        }
    }

    /// The scalar that stands in the history.
    pub fn encode(&self) -> Scalar {
        let mut object = self.unknown.clone();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("kind", self.word.as_str().into());
        let texts = [
            ("role", self.role.map(|role| role.name().to_owned())),
            ("unit", self.unit.as_ref().map(Scope::to_string)),
            ("reason", self.reason.clone()),
            ("text", self.text.clone()),
            ("category", self.category.clone()),
            ("rules", self.rules.clone()),
            ("into", self.into.map(|doc| doc.to_string())),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                put(key, text.into());
            }
        }
        if !self.to.is_empty() {
            let to = self.to.iter().map(|target| match &target.worker {
                Some(worker) => json!({ "scope": target.scope, "worker": worker.to_string() }),
                None => json!({ "scope": target.scope }),
            });
            put("to", to.collect());
        }
        if let Some(pass) = self.pass {
            put("pass", pass.into());
        }
        if let Some(score) = self.score {
            put("score", score.into());
        }
        if let Some(days) = self.days {
            put("days", days.into());
        }
        if let Some(level) = self.level {
            put("level", level.into());
        }
        for (key, said) in [("refuse", self.refuse), ("minor", self.minor)] {
            if said {
                put(key, true.into());
            }
        }
        if let Some(ms) = self.recorded_ms {
            put("recorded", ms.into());
        }
        if !self.photos.is_empty() {
            put(PHOTOS, self.photos.iter().map(PhotoRef::to_json).collect());
        }
        if let Some(via) = &self.via {
            let written = json!({
                "order": via.order.to_string(),
                "team": via.team,
                "log": via.log.to_string(),
                "seq": via.seq,
                "index": via.index,
                "worker": via.worker.to_string(),
                "role": via.role.name(),
                "observed": via.observed_ms,
            });
            put("via", written);
        }
        Scalar::Str(Value::Object(object).to_string())
    }

    /// Reads an event back. A member that is there but cannot be read counts as one that a newer version
    /// wrote.
    ///
    /// # Errors
    /// [`Unreadable`] if it is no JSON object with a `kind`.
    pub fn decode(scalar: &Scalar) -> Result<Self, Unreadable> {
        let text = scalar.as_str().ok_or(Unreadable)?;
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return Err(Unreadable) };
        let mut told = Self::default();
        for (key, value) in object {
            if told.take(&key, &value).is_none() {
                told.unknown.insert(key, value);
            }
        }
        if told.word.is_empty() { Err(Unreadable) } else { Ok(told) }
    }

    fn take(&mut self, key: &str, value: &Value) -> Option<()> {
        let text = || value.as_str();
        match key {
            "kind" => self.word = text()?.to_owned(),
            "role" => self.role = Some(text()?.parse().ok()?),
            "unit" => self.unit = Some(text()?.parse().ok()?),
            "to" => {
                let targets = value.as_array()?.iter().map(|target| {
                    let worker = match target.get("worker") {
                        Some(worker) => Some(worker.as_str()?.parse().ok()?),
                        None => None,
                    };
                    Some(Target { scope: target.get("scope")?.as_str()?.parse().ok()?, worker })
                });
                self.to = targets.collect::<Option<_>>()?;
            }
            "reason" => self.reason = Some(text()?.to_owned()),
            "text" => self.text = Some(text()?.to_owned()),
            "pass" => self.pass = Some(value.as_bool()?),
            "score" => self.score = Some(value.as_i64()?),
            "into" => self.into = Some(text()?.parse().ok()?),
            "days" => self.days = Some(u32::try_from(value.as_u64()?).ok()?),
            "refuse" => self.refuse = value.as_bool()?,
            "category" => self.category = Some(text()?.to_owned()),
            "level" => {
                self.level = Some(u8::try_from(value.as_u64()?).ok().filter(|n| (1..=4).contains(n))?);
            }
            "minor" => self.minor = value.as_bool()?,
            "rules" => self.rules = Some(text()?.to_owned()),
            "recorded" => self.recorded_ms = Some(value.as_u64()?),
            "via" => self.via = Some(via(value)?),
            PHOTOS => self.photos = value.as_array()?.iter().map(PhotoRef::of_json).collect::<Option<_>>()?,
            _ => return None,
        }
        Some(())
    }
}

fn via(value: &Value) -> Option<Via> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    Some(Via {
        order: text("order")?.parse().ok()?,
        team: text("team")?.parse().ok()?,
        log: text("log")?.parse().ok()?,
        seq: number("seq")?,
        index: number("index")?,
        worker: text("worker")?.parse().ok()?,
        role: text("role")?.parse().ok()?,
        observed_ms: number("observed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Hash;
    use crate::photo::PhotoForm;
    use crate::schema::Kind;

    #[test]
    fn an_event_reads_back_and_keeps_what_a_newer_version_wrote() {
        let mut told = Told::new(EventKind::Dispatch, Role::CentreClerk, &Scope::Centre);
        told.to = vec![
            Target { scope: Scope::Team("fire".into()), worker: None },
            Target { scope: Scope::Grid("1".into()), worker: Some(DocId([7; 16])) },
        ];
        told.reason = Some("需专业队伍".into());
        told.unknown.insert("weather".into(), "rain".into());
        told.via = Some(Via {
            order: DocId([1; 16]),
            team: Scope::Team("fire".into()),
            log: LogId([2; 8]),
            seq: 3,
            index: 0,
            worker: DocId([4; 16]),
            role: Role::TeamLead,
            observed_ms: 5,
        });
        assert_eq!(Told::decode(&told.encode()), Ok(told));
        let mut told = Told::new(EventKind::Feedback, Role::GridWorker, &Scope::Centre);
        told.photos = vec![PhotoRef { hash: Hash([9; 32]), len_bytes: 77, form: PhotoForm::Jpeg }];
        assert_eq!(Told::decode(&told.encode()), Ok(told));
        // A known member in an unknown form is kept as well.
        let strange = Told::decode(&r#"{"kind":"check","pass":"maybe"}"#.into()).expect("an event");
        assert_eq!((strange.pass, strange.unknown.len()), (None, 1));
        for text in ["", "[]", "{}", "null", r#"{"kind":7}"#] {
            assert_eq!(Told::decode(&text.into()), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn every_event_has_its_roles_in_the_table_that_admission_reads() {
        let access = &Kind::CASE.spec().expect("known").access;
        assert_eq!(access.events.len(), EventKind::ALL.len());
        for (_, name, label) in EventKind::ALL {
            assert_eq!(access.event(name).map(|event| event.label), Some(label));
        }
    }
}
