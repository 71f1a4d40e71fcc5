//! The street as the roster describes it: its units and its people, and who acts here.

use std::collections::{BTreeMap, BTreeSet};

use wangge_model::checks::text;
use wangge_model::codes::Codes;
use wangge_model::identity::{DocId, Role, Scope};
use wangge_model::schema::Kind;
use wangge_model::work::codes::{Entries, entries};
use wangge_model::work::draft::Actor;

use crate::command::CommandError;
use crate::command::key::PREFIX_LEN_MIN;
use crate::command::units::{Meant, Units};
use crate::replica::Replica;
use crate::text::{Message, WorkText, scrub};

/// A worker as the roster has him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) posts: Vec<(Role, Scope)>,
    pub(crate) active: bool,
}

/// The street's units and people.
pub(crate) struct Street {
    /// Unit -> name and area.
    units: BTreeMap<Scope, (String, String)>,
    people: BTreeMap<DocId, Person>,
    held: BTreeSet<Scope>,
    villages: Units,
    pub(crate) street_name: String,
    own: Option<Actor>,
}

impl Street {
    pub(crate) fn load(replica: &Replica) -> Result<Self, CommandError> {
        let mut units = BTreeMap::new();
        replica.each(&Scope::Street, Kind::UNIT, |view| {
            if let Ok(scope) = view.text("scope").parse::<Scope>() {
                units.insert(scope, (view.text("name"), view.text("area")));
            }
            true
        })?;
        let mut people = BTreeMap::new();
        replica.each(&Scope::Street, Kind::WORKER, |view| {
            let posts = view.sets.get("posts").into_iter().flatten();
            let posts =
                posts.filter(|(_, held)| held.shown.value.to_text() != "false").filter_map(|(post, _)| {
                    let (role, unit) = post.split_once('@')?;
                    Some((role.parse().ok()?, unit.parse().ok()?))
                });
            let status = view.text("status");
            let active = status.is_empty() || status == "active";
            people.insert(view.id, Person { name: view.text("name"), posts: posts.collect(), active });
            true
        })?;
        let profile = replica.profile();
        let acting = replica.acting();
        let own = acting.as_ref().map(|acting| Actor {
            worker: acting.worker,
            role: acting.role,
            unit: acting.unit.clone(),
        });
        if let (Some(own), Some(acting)) = (&own, &acting) {
            let post = (own.role, own.unit.clone());
            let person = people.entry(own.worker).or_insert_with(|| Person {
                name: acting.name.clone(),
                posts: Vec::new(),
                active: true,
            });
            if !person.posts.contains(&post) {
                person.posts.push(post);
            }
        }
        let street_name = profile.grant().map_or_else(String::new, |grant| grant.street_name.clone());
        let held = replica.open_scopes().into_iter().collect();
        Ok(Self { units, people, held, villages: Units::load(replica)?, street_name, own })
    }

    /// Who acts.
    pub(crate) fn actor(&self) -> Result<Actor, CommandError> {
        self.own.clone().ok_or_else(|| CommandError::failed("not-joined", &Message::NotJoined))
    }

    /// The code tables that hold in the street.
    pub(crate) fn codes(&self) -> &Codes {
        self.villages.codes()
    }

    /// The same, as drafts ask for them.
    pub(crate) fn entries(&self) -> impl Fn(&str) -> Entries {
        |table| entries(self.codes(), table)
    }

    pub(crate) fn holds(&self, scope: &Scope) -> bool {
        self.held.contains(scope)
    }

    /// The scopes held here.
    pub(crate) fn held(&self) -> Vec<Scope> {
        self.held.iter().cloned().collect()
    }

    /// What a unit is called.
    pub(crate) fn unit_name(&self, scope: &Scope) -> String {
        match self.units.get(scope) {
            Some((name, _)) if !name.is_empty() => name.clone(),
            _ if *scope == Scope::Centre => "社管中心".to_owned(),
            _ if *scope == Scope::Street => self.street_name.clone(),
            _ => scope.to_string(),
        }
    }

    /// The area of a grid or a sub-grid.
    pub(crate) fn area_of(&self, scope: &Scope) -> Option<Scope> {
        match self.units.get(scope) {
            Some((_, area)) if !area.is_empty() && matches!(scope, Scope::Grid(_)) => {
                Some(Scope::Area(area.clone()))
            }
            _ => None,
        }
    }

    /// All units that the roster names, and those held here.
    pub(crate) fn units(&self) -> BTreeSet<Scope> {
        self.units.keys().chain(&self.held).cloned().collect()
    }

    /// The units that belong to `scope`, itself first.
    pub(crate) fn within(&self, scope: &Scope) -> Vec<Scope> {
        let mut units = vec![scope.clone()];
        match scope {
            Scope::Street | Scope::Centre => {
                units.extend(self.units().into_iter().filter(|unit| unit != scope));
            }
            Scope::Area(_) => {
                let below = self.units.keys().filter(|unit| self.area_of(unit).as_ref() == Some(scope));
                units.extend(below.cloned());
            }
            Scope::Grid(_) | Scope::Team(_) | Scope::Audit => {}
        }
        units
    }

    /// The unit that `typed` means.
    pub(crate) fn unit(&self, typed: &str) -> Result<Scope, CommandError> {
        let typed = typed.trim();
        if let Ok(scope) = typed.parse::<Scope>() {
            let is_named = matches!(scope, Scope::Street | Scope::Centre);
            if is_named || self.units.contains_key(&scope) || self.holds(&scope) {
                return Ok(scope);
            }
        } else {
            let name = text::compact(typed);
            let mut named = self.units.iter().filter(|(scope, (own, _))| {
                text::compact(own) == name || self.unit_name(scope) == name || scope.code() == name
            });
            // A street of one area may give it its own name: the street is meant.
            if let Some((scope, _)) = named.next() {
                return Ok(scope.clone());
            }
            if name == "社管中心" {
                return Ok(Scope::Centre);
            }
            if let Meant::One(unit) = self.villages.meant(typed) {
                return Ok(unit.scope.clone());
            }
        }
        let known: Vec<String> = self.units().iter().take(8).map(|unit| self.unit_name(unit)).collect();
        let (typed, known) = (scrub(typed), known.join("、"));
        Err(CommandError::failed(
            "unit-unknown",
            &Message::Work(WorkText::UnitUnknown { typed: &typed, known: &known }),
        ))
    }

    /// What a worker is called.
    pub(crate) fn worker_name(&self, worker: &DocId) -> String {
        match self.people.get(worker) {
            Some(person) if !person.name.is_empty() => person.name.clone(),
            _ if worker.0 == [0; 16] => "社管中心".to_owned(),
            _ => worker.to_string(),
        }
    }

    /// A worker's posts.
    pub(crate) fn person(&self, worker: &DocId) -> Option<&Person> {
        self.people.get(worker)
    }

    /// Everybody whom the roster has.
    pub(crate) fn people(&self) -> &BTreeMap<DocId, Person> {
        &self.people
    }

    /// The worker that `typed` names: an id, the beginning of one, or a name.
    pub(crate) fn worker(&self, typed: &str) -> Result<DocId, CommandError> {
        let typed = typed.trim();
        let name = text::name(typed);
        let lower = typed.to_ascii_lowercase();
        let by_id = lower.len() >= PREFIX_LEN_MIN && lower.bytes().all(|b| b.is_ascii_hexdigit());
        let found: Vec<&DocId> = self
            .people
            .iter()
            .filter(|(id, person)| person.name == name || by_id && id.to_string().starts_with(&lower))
            .map(|(id, _)| id)
            .collect();
        match found.as_slice() {
            [one] => Ok(**one),
            [] => {
                let typed = scrub(typed);
                Err(CommandError::failed(
                    "worker-unknown",
                    &Message::Work(WorkText::WorkerUnknown { typed: &typed }),
                ))
            }
            several => {
                let lines: Vec<String> = several
                    .iter()
                    .map(|id| {
                        let posts = self.person(id).map(|person| person.posts.clone()).unwrap_or_default();
                        let posts: Vec<String> = posts
                            .iter()
                            .map(|(role, unit)| {
                                format!("{} {}", crate::text::role_zh(*role), self.unit_name(unit))
                            })
                            .collect();
                        format!("  {id}  {}", posts.join("、"))
                    })
                    .collect();
                let typed = scrub(typed);
                let error = CommandError::failed(
                    "worker-ambiguous",
                    &Message::Work(WorkText::WorkerAmbiguous { typed: &typed }),
                );
                Err(error.with(&lines))
            }
        }
    }

    /// What stands in an assignee field, as people read it.
    pub(crate) fn assignee_name(&self, assignee: &str) -> String {
        if let Ok(scope) = assignee.parse::<Scope>() {
            return self.unit_name(&scope);
        }
        match assignee.parse::<DocId>() {
            Ok(worker) => self.worker_name(&worker),
            Err(_) => assignee.to_owned(),
        }
    }

    /// The unit of a worker's post that is held here, his own unit's before others.
    pub(crate) fn post_of(&self, worker: &DocId) -> Option<Scope> {
        let posts = &self.person(worker)?.posts;
        let own = self.own.as_ref().map(|own| &own.unit);
        let mut held = posts.iter().map(|(_, unit)| unit).filter(|unit| self.holds(unit));
        posts.iter().map(|(_, unit)| unit).find(|unit| Some(*unit) == own).or_else(|| held.next()).cloned()
    }
}
