//! Moving records between units, and splitting grids: requests that the relay completes.
//!
//! A request lies where the record does, as whoever holds the record wrote it. The relay writes the record
//! anew in the other unit, closes the old one with a pointer to the new, and carries later edits of the old
//! one over. Every step can be repeated: ids follow from the record and its unit, and what was carried is
//! noted beside the request.
//!
//! Records that are merged into one that moves go with it: the relay asks for them itself.
//!
//! A value that the new record cannot take without overwriting somebody else's goes into a record of its
//! own that is merged into the new one by link, so both values show until somebody settles it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use wangge_model::clock::Clock;
use wangge_model::document::{DocumentView, Op, Register, Scalar, Target};
use wangge_model::identity::{DocId, Scope};
use wangge_model::org::split::is_part_of;
use wangge_model::registers::merge::merged_into;
use wangge_model::schema::{CLOSED, GENERATION, Kind, MERGED_INTO, MOVED_FROM, MOVED_TO, kinds};
use wangge_node::replica::{Edit, Replica, ReplicaError, keys};
use wangge_store::Batch;

use crate::roster::{RelayError, Roster};

/// Fields that speak of the record where it is and do not travel.
const STAYING: [&str; 6] = [CLOSED, GENERATION, MERGED_INTO, MOVED_TO, MOVED_FROM, "unit"];
/// Begins links of merged records; they do not travel either.
const MERGED: &str = "merged:";
/// Operations in one transaction for one record.
const OPS_TOGETHER_MAX: usize = 200;

fn field(name: &str, value: impl Into<Scalar>) -> Op {
    Op { target: Target::Field(name.to_owned()), value: Some(value.into()) }
}

fn entry(container: &str, key: &str, value: Option<Scalar>) -> Op {
    Op { target: Target::Entry { container: container.to_owned(), key: key.to_owned() }, value }
}

/// What tells a value from others without showing it.
fn digest(replica: &Replica, scope: &Scope, value: &Scalar) -> Result<String, ReplicaError> {
    let secret = replica.secret(scope).ok_or_else(|| ReplicaError::NotHeld { scope: scope.clone() })?;
    Ok(secret.natural_id(Kind::MOVE, &format!("{value:?}"), 0).to_string().chars().take(16).collect())
}

/// Completes what is asked for, in every unit that has changed since it was last looked at.
///
/// # Errors
/// [`ReplicaError`]; what is done stays done, and the rest is tried again.
pub(crate) fn moves(replica: &Replica) -> Result<(), ReplicaError> {
    let clocks = replica.clocks();
    for (scope, (clock, _)) in clocks {
        if !matches!(scope, Scope::Grid(_)) {
            continue;
        }
        let mut requests = Vec::new();
        replica.each(&scope, Kind::MOVE, |view| {
            requests.push(view);
            true
        })?;
        if requests.is_empty() || looked_at(replica, &scope)? == Some(clock.clone()) {
            continue;
        }
        for request in &requests {
            if let Err(error) = complete(replica, &scope, request) {
                tracing::error!(%scope, request = %request.id, %error, "a record cannot be moved");
            }
        }
        let mut batch = Batch::new();
        let clock = postcard::to_stdvec(&clock).unwrap_or_default();
        batch.put(looked_at_key(&scope), clock);
        replica.store().commit(batch)?;
    }
    Ok(())
}

fn looked_at_key(scope: &Scope) -> Vec<u8> {
    keys::relay_only(&format!("moves\0{scope}"))
}

fn looked_at(replica: &Replica, scope: &Scope) -> Result<Option<Clock>, ReplicaError> {
    let bytes = replica.store().get(&looked_at_key(scope))?;
    Ok(bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
}

/// A request with what it names.
struct Move<'a> {
    replica: &'a Replica,
    request: &'a DocumentView,
    from: &'a Scope,
    to: Scope,
    old: DocumentView,
}

fn complete(replica: &Replica, from: &Scope, request: &DocumentView) -> Result<(), ReplicaError> {
    let kind = kinds().find(|spec| spec.name == request.text("kind")).map(|spec| spec.kind);
    let (Some(kind), Ok(record), Ok(to)) =
        (kind, request.text("record").parse::<DocId>(), request.text("scope").parse::<Scope>())
    else {
        return Ok(());
    };
    let Some(old) = replica.get(from, kind, &record)? else { return Ok(()) };
    let request_edit = |ops| Edit { doc: request.id, kind: Kind::MOVE, ops };
    match request.text("status").as_str() {
        "asked" => {
            if replica.secret(&to).is_none() || to == *from || !kind.lives_in(&to) {
                let ops = vec![field("status", "refused"), field("result", "unit-unknown")];
                replica.commit(from, vec![request_edit(ops)], None)?;
                return Ok(());
            }
            if old.is_closed() {
                let ops = vec![field("status", "refused"), field("result", "record-closed")];
                replica.commit(from, vec![request_edit(ops)], None)?;
                return Ok(());
            }
            Move { replica, request, from, to, old }.carry_whole()
        }
        "done" => Move { replica, request, from, to, old }.carry_late(),
        _ => Ok(()),
    }
}

impl Move<'_> {
    fn origin(&self) -> String {
        format!("{}/{}", self.from, self.old.id)
    }

    /// The id of a record that follows from the old one and what it is for.
    fn derived(&self, what: &str) -> Result<DocId, ReplicaError> {
        let secret =
            self.replica.secret(&self.to).ok_or_else(|| ReplicaError::NotHeld { scope: self.to.clone() })?;
        Ok(secret.natural_id(self.old.kind, &format!("{what}|{}", self.origin()), 0))
    }

    /// The new record: its id, its generation, and the record of the other unit that it is merged into
    /// because that one stands for the same number there.
    fn place(&self) -> Result<(DocId, u32, Option<DocId>), ReplicaError> {
        let kind = self.old.kind;
        let natural = kind.spec().and_then(|spec| spec.natural_key);
        let number = natural.map(|field| self.old.text(field)).filter(|number| !number.is_empty());
        let Some(number) = number else { return Ok((self.derived("moved")?, 0, None)) };
        match self.replica.by_natural_key(&self.to, kind, &number)? {
            Some(there) if there.text(MOVED_FROM) != self.origin() => {
                Ok((self.derived("moved")?, 0, Some(there.id)))
            }
            _ => {
                let (doc, generation) = self.replica.natural_id(&self.to, kind, &number)?;
                Ok((doc, generation, None))
            }
        }
    }

    /// Links to records that moved to the same unit lead to where they are now.
    fn translated(&self, value: &Scalar) -> Result<Scalar, ReplicaError> {
        let Some(doc) = value.as_str().and_then(|text| text.parse::<DocId>().ok()) else {
            return Ok(value.clone());
        };
        for kind in Kind::REGISTERS {
            if let Some(view) = self.replica.get(self.from, kind, &doc)? {
                let moved = view.text(MOVED_TO);
                if let Some((scope, id)) = moved.rsplit_once('/')
                    && scope == self.to.to_string()
                {
                    return Ok(id.into());
                }
            }
        }
        Ok(value.clone())
    }

    fn carry_whole(&self) -> Result<(), ReplicaError> {
        let (doc, generation, into) = self.place()?;
        let into = match into {
            None => self.winner_there()?.filter(|winner| *winner != doc),
            there => there,
        };
        let kind = self.old.kind;
        let there = self.replica.get(&self.to, kind, &doc)?;
        let is_there = there.is_some_and(|view| view.text(MOVED_FROM) == self.origin());
        let mut main = Vec::new();
        if generation > 0 {
            main.push(field(GENERATION, Scalar::Int(i64::from(generation))));
        }
        if let Some(unit) = self.unit_name()? {
            main.push(field("unit", unit));
        }
        let mut carried = Vec::new();
        let mut facts = Vec::new();
        // One record for each further value of a field in open conflict.
        let mut others: BTreeMap<usize, Vec<Op>> = BTreeMap::new();
        for (name, register) in self.travelling() {
            main.push(field(name, self.translated(&register.shown.value)?));
            carried.push(entry("carried", name, Some(self.digest_of(register)?.into())));
            for claim in register.claims() {
                facts.push(json!([name, claim.worker.to_string(), claim.wall_ms]));
            }
            for (at, claim) in register.others.iter().enumerate() {
                others.entry(at).or_default().push(field(name, self.translated(&claim.value)?));
            }
        }
        for (set, key, register) in self.entries() {
            main.push(entry(set, key, Some(register.shown.value.clone())));
            carried.push(entry("carried", &format!("{set}/{key}"), Some(self.digest_of(register)?.into())));
        }
        let told = json!({
            "kind": "moved",
            "text": self.request.text("reason"),
            "from": self.origin(),
            "request": self.request.id.to_string(),
            "asked_by": self.asked_by(),
            "facts": facts,
        });
        main.push(self.event(&told));
        for (key, event) in self.events() {
            main.push(self.event(&event));
            carried.push(entry("carried", &key, Some("event".into())));
        }
        let mut edits = Vec::new();
        if let Some(into) = into {
            main.push(field(MERGED_INTO, into.to_string()));
            let back = entry("links", &format!("{MERGED}{doc}"), Some(Scalar::Bool(true)));
            edits.push(Edit { doc: into, kind, ops: vec![back] });
        }
        for (at, mut ops) in others {
            let other = self.derived(&format!("other{at}"))?;
            ops.push(field(MERGED_INTO, doc.to_string()));
            ops.push(field(MOVED_FROM, self.origin()));
            main.push(entry("links", &format!("{MERGED}{other}"), Some(Scalar::Bool(true))));
            edits.push(Edit { doc: other, kind, ops });
        }
        if !is_there {
            if !edits.is_empty() {
                self.replica.commit(&self.to, edits, None)?;
            }
            // Where it is from comes last: a record that says so is whole, and is not written again.
            main.push(field(MOVED_FROM, self.origin()));
            for part in main.chunks(OPS_TOGETHER_MAX) {
                self.replica.commit(&self.to, vec![Edit { doc, kind, ops: part.to_vec() }], None)?;
            }
        }
        // Only now is the old record closed: a crash before repeats what is above, with the same ids.
        let result = format!("{}/{doc}", self.to);
        carried.push(field("status", "done"));
        carried.push(field("result", result.as_str()));
        for part in carried.chunks(OPS_TOGETHER_MAX) {
            let edit = Edit { doc: self.request.id, kind: Kind::MOVE, ops: part.to_vec() };
            self.replica.commit(self.from, vec![edit], None)?;
        }
        let ops = vec![field(MOVED_TO, result), field(CLOSED, Scalar::Bool(true))];
        self.replica.commit(self.from, vec![Edit { doc: self.old.id, kind, ops }], None)?;
        tracing::info!(from = %self.from, to = %self.to, record = %self.old.id, new = %doc, "a record was moved");
        self.bring_members(doc)
    }

    /// Where a record of the old unit is now, if it moved where this one does.
    fn moved(&self, view: &DocumentView) -> Option<DocId> {
        let moved = view.text(MOVED_TO);
        let (scope, id) = moved.rsplit_once('/')?;
        (scope == self.to.to_string()).then(|| id.parse().ok()).flatten()
    }

    /// The record in the new unit that stands for what this one is merged into.
    fn winner_there(&self) -> Result<Option<DocId>, ReplicaError> {
        let Some(winner) = merged_into(&self.old) else { return Ok(None) };
        let winner = self.replica.get(self.from, self.old.kind, &winner)?;
        Ok(winner.and_then(|winner| self.moved(&winner)))
    }

    /// Records that are merged into the one that moved, to `doc`, follow it; those that went before it are
    /// linked to it there.
    fn bring_members(&self, doc: DocId) -> Result<(), ReplicaError> {
        let kind = self.old.kind;
        let links = self.old.sets.get("links").into_iter().flat_map(|links| links.keys());
        for member in links.filter_map(|key| key.strip_prefix(MERGED)?.parse::<DocId>().ok()) {
            let Some(view) = self.replica.get(self.from, kind, &member)? else { continue };
            if merged_into(&view) != Some(self.old.id) {
                continue;
            }
            match self.moved(&view) {
                Some(there) => self.link(there, doc)?,
                None if !view.is_closed() => self.ask_for(&view)?,
                None => {}
            }
        }
        Ok(())
    }

    fn link(&self, member: DocId, winner: DocId) -> Result<(), ReplicaError> {
        let kind = self.old.kind;
        let Some(view) = self.replica.get(&self.to, kind, &member)? else { return Ok(()) };
        if member == winner || merged_into(&view).is_some() {
            return Ok(());
        }
        let back = entry("links", &format!("{MERGED}{member}"), Some(Scalar::Bool(true)));
        let edits = vec![
            Edit { doc: winner, kind, ops: vec![back] },
            Edit { doc: member, kind, ops: vec![field(MERGED_INTO, winner.to_string())] },
        ];
        self.replica.commit(&self.to, edits, None)?;
        Ok(())
    }

    /// Asks for another record as a worker would, with the same id, so that nobody asks twice.
    fn ask_for(&self, view: &DocumentView) -> Result<(), ReplicaError> {
        let secret = self
            .replica
            .secret(self.from)
            .ok_or_else(|| ReplicaError::NotHeld { scope: self.from.clone() })?;
        let doc = secret.natural_id(Kind::MOVE, &format!("{}|{}", view.id, self.to), 0);
        let asked = self.replica.get(self.from, Kind::MOVE, &doc)?;
        if asked.is_some_and(|asked| asked.text("status") == "asked") {
            return Ok(());
        }
        let ops = vec![
            field("record", view.id.to_string()),
            field("kind", view.kind.to_string()),
            field("scope", self.to.to_string()),
            field("reason", self.request.text("reason")),
            field("status", "asked"),
        ];
        self.replica.commit(self.from, vec![Edit { doc, kind: Kind::MOVE, ops }], None)?;
        Ok(())
    }

    /// Carries over what was written to the old record by who did not know that it moved.
    fn carry_late(&self) -> Result<(), ReplicaError> {
        let result = self.request.text("result");
        let Some(doc) = result.rsplit_once('/').and_then(|(_, id)| id.parse::<DocId>().ok()) else {
            return Ok(());
        };
        let kind = self.old.kind;
        let carried = self.request.sets.get("carried");
        let before = |key: &str| {
            carried.and_then(|carried| carried.get(key)).map(|register| register.shown.value.to_text())
        };
        let Some(new) = self.replica.get(&self.to, kind, &doc)? else { return Ok(()) };
        // Somebody who did not know that it moved may have merged another record into it.
        self.bring_members(doc)?;
        let (mut main, mut beside, mut noted) = (Vec::new(), Vec::new(), Vec::new());
        for (name, register) in self.travelling() {
            let now = self.digest_of(register)?;
            let then = before(name);
            if then.as_ref() == Some(&now) {
                continue;
            }
            let value = self.translated(&register.shown.value)?;
            let untouched = match new.fields.get(name) {
                None => true,
                Some(there) => then == Some(self.digest_of(there)?),
            };
            if untouched {
                main.push(field(name, value));
            } else if !new.texts(name).contains(&value.to_text()) {
                beside.push(field(name, value));
            }
            noted.push(entry("carried", name, Some(now.into())));
        }
        for (set, key, register) in self.entries() {
            let name = format!("{set}/{key}");
            let now = self.digest_of(register)?;
            if before(&name).as_ref() != Some(&now) {
                main.push(entry(set, key, Some(register.shown.value.clone())));
                noted.push(entry("carried", &name, Some(now.into())));
            }
        }
        for (key, event) in self.events() {
            if before(&key).is_none() {
                main.push(self.event(&event));
                noted.push(entry("carried", &key, Some("event".into())));
            }
        }
        if noted.is_empty() {
            return Ok(());
        }
        let late = self.derived("late")?;
        let mut edits = Vec::new();
        if !beside.is_empty() {
            beside.push(field(MERGED_INTO, doc.to_string()));
            beside.push(field(MOVED_FROM, self.origin()));
            edits.push(Edit { doc: late, kind, ops: beside });
            main.push(entry("links", &format!("{MERGED}{late}"), Some(Scalar::Bool(true))));
        }
        if !main.is_empty() {
            edits.push(Edit { doc, kind, ops: main });
        }
        if !edits.is_empty() {
            self.replica.commit(&self.to, edits, None)?;
            tracing::info!(from = %self.from, to = %self.to, record = %self.old.id, "late edits were carried over");
        }
        let edit = Edit { doc: self.request.id, kind: Kind::MOVE, ops: noted };
        self.replica.commit(self.from, vec![edit], None)?;
        Ok(())
    }

    fn travelling(&self) -> impl Iterator<Item = (&str, &Register)> {
        let fields = self.old.fields.iter().map(|(name, register)| (name.as_str(), register));
        fields.filter(|(name, _)| !STAYING.contains(name))
    }

    fn entries(&self) -> impl Iterator<Item = (&'static str, &String, &Register)> {
        let sets = self.old.sets.iter();
        sets.flat_map(|(set, entries)| entries.iter().map(move |(key, register)| (*set, key, register)))
            .filter(|(_, key, _)| !key.starts_with(MERGED))
    }

    /// Events with the keys under which they are noted, each with who wrote it and when.
    fn events(&self) -> impl Iterator<Item = (String, Value)> {
        self.old.histories.values().flatten().map(|event| {
            let written = event.value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
            let mut json = written.filter(Value::is_object).unwrap_or_else(|| json!({}));
            json["carried_from"] = json!({ "worker": event.worker.to_string(), "at_ms": event.wall_ms });
            let what = blake3::hash(event.value.to_text().as_bytes()).to_hex();
            (format!("event/{}-{}-{}", event.log, event.seq, &what[..8]), json)
        })
    }

    fn event(&self, json: &Value) -> Op {
        Op { target: Target::Event { container: "events".to_owned() }, value: Some(json.to_string().into()) }
    }

    fn digest_of(&self, register: &Register) -> Result<String, ReplicaError> {
        digest(self.replica, self.from, &register.shown.value)
    }

    fn asked_by(&self) -> String {
        let status = self.request.fields.get("reason");
        status.map_or_else(String::new, |register| register.shown.worker.to_string())
    }

    fn unit_name(&self) -> Result<Option<String>, ReplicaError> {
        let roster = self.replica.roster()?;
        Ok(roster.units().get(&self.to).map(|unit| unit.name.clone()).filter(|name| !name.is_empty()))
    }
}

/// Makes the units that splits ask for.
///
/// # Errors
/// [`RelayError`]; what is done stays done.
pub(crate) fn splits(roster: &Roster) -> Result<(), RelayError> {
    let replica = roster.replica();
    if replica.awaits_street() {
        return Ok(());
    }
    let street_code = replica.profile().grant().map_or_else(String::new, |grant| grant.street_code.clone());
    let mut asked = Vec::new();
    replica.each(&Scope::Street, Kind::SPLIT, |view| {
        if view.text("status") == "asked" {
            asked.push(view);
        }
        true
    })?;
    for request in asked {
        let known = match request.text("scope").parse::<Scope>() {
            Ok(grid) => replica.roster()?.units().get(&grid).map(|unit| (grid, unit.area.clone())),
            Err(_) => None,
        };
        let (status, result) = match known {
            None => ("refused", "unit-unknown"),
            Some((grid, area)) => {
                for (scope, name) in request.sets.get("parts").into_iter().flatten() {
                    let Ok(scope @ Scope::Grid(_)) = scope.parse::<Scope>() else { continue };
                    // What asked for it may have been an older version, or worse.
                    if !is_part_of(&grid, &street_code, scope.code()) {
                        continue;
                    }
                    match roster.add_unit(&scope, &name.shown.value.to_text(), &area) {
                        // A crash in between, or made by hand.
                        Ok(()) | Err(RelayError::UnitExists { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                ("done", "")
            }
        };
        let mut ops = vec![field("status", status)];
        if !result.is_empty() {
            ops.push(field("result", result));
        }
        replica.commit(&Scope::Street, vec![Edit { doc: request.id, kind: Kind::SPLIT, ops }], None)?;
        tracing::info!(request = %request.id, status, "a grid was split");
    }
    Ok(())
}
