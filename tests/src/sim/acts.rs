//! What each action of the alphabet does, through the commands that a worker has.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser};

use wangge_model::document::Document;
use wangge_model::identity::{DocId, Epoch, LogId, Role, Scope};
use wangge_model::log::{EMPTY_HEAD, Run, next_head, sign_head};
use wangge_model::schema::Kind;
use wangge_model::transaction::{Opening, Transaction};
use wangge_node::command::{Command, Unwatched, execute};
use wangge_node::net::Joining;
use wangge_node::replica::{Edit, Program, Replica};
use wangge_relay::{Division, Founding, Invite, decide_now, found_on};
use wangge_store::Disk;

use super::Wrong;
use super::action::{Action, Who};
use super::checks::text_of;
use super::device::{Device, Post};
use super::dice::Dice;
use super::model::{Draft, Mark, Place, mark};
use super::town::{Event, Town};
use super::world::{SimulatedWorld, older};
use crate::street::{GRIDS, grid, number, put};

/// Devices of one street.
const DEVICES_MAX: usize = 11;
/// Backups of one device.
const BACKUPS_MAX: usize = 4;
/// Documents of one transaction of an import.
const IMPORT_TRANSACTION: usize = 24;
/// Fields that people argue about.
const FIELDS: [&str; 3] = ["note", "employer", "current_address"];

/// A command as a worker types it.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

impl Town {
    /// Founds the street and lets the first devices join; then the plan begins.
    pub(super) fn found(&mut self) {
        let disk = Disk::new();
        let world = SimulatedWorld::new(&self.time, Dice::new(self.plan.seed, 100));
        world.install(self.program(self.plan.is_older));
        let divisions = (0..self.plan.grids)
            .map(|at| Division {
                code: GRIDS[at].to_owned(),
                name: format!("村{at}"),
                area: "330881121".to_owned(),
            })
            .collect();
        let founding =
            Founding { street_code: "330881121".to_owned(), street_name: "贺村镇".to_owned(), divisions };
        let mut relay = Device::new("relay".to_owned(), Post::Relay, disk.clone(), world.clone());
        let replica = match found_on(&world.machine(&disk), Path::new("relay"), &founding) {
            Ok(replica) => replica,
            Err(error) => return self.fail(Wrong::Error, format!("founding: {error}")),
        };
        if let Err(error) = relay.run(replica.into()) {
            return self.fail(Wrong::Error, format!("taking office: {error}"));
        }
        self.devices.push(relay);
        let mut posts = vec![(Role::AreaClerk, area()); self.plan.points];
        for at in 0..self.plan.workers {
            let role = if at == 1 { Role::GridLeader } else { Role::GridWorker };
            posts.push((role, grid(at % self.plan.grids)));
        }
        posts.extend(vec![(Role::CentreClerk, Scope::Centre); self.plan.clerks]);
        self.is_founding = true;
        for (role, unit) in posts {
            self.enrol(role, &unit);
        }
        self.is_founding = false;
        let mut at_ms = 0;
        for step in 0..self.plan.steps.len() {
            at_ms += self.plan.steps[step].after_ms;
            self.at(at_ms, Event::Act(step));
        }
        self.calm();
    }

    /// The device that a number of the plan means.
    fn whom(&self, who: Who) -> Option<Who> {
        match who {
            0 => Some(0),
            _ if self.devices.len() < 2 => None,
            who => Some((who - 1) % (self.devices.len() - 1) + 1),
        }
    }

    pub(super) fn act(&mut self, step: usize) {
        let action = self.plan.steps[step].action.clone();
        self.say(|_| format!("# {step}: {action:?}"));
        self.is_plan_over = step + 1 == self.plan.steps.len();
        if self.perform(&action).is_none() {
            self.say(|_| "  nothing".to_owned());
        }
    }

    /// Does what it can of an action; `None` if it is not possible now.
    fn perform(&mut self, action: &Action) -> Option<()> {
        match *action {
            Action::Register { who, person } => self.register(self.whom(who)?, person),
            Action::Edit { who, person, field } => self.edit(self.whom(who)?, person, field, false),
            Action::Clear { who, person, field } => self.edit(self.whom(who)?, person, field, true),
            Action::Settle { who, nth } => self.settle_conflict(self.whom(who)?, nth),
            Action::Pair { who, persons, field } => self.pair(self.whom(who)?, persons, field),
            Action::Import { who, first, count } => self.import(self.whom(who)?, first, count),
            Action::Report { who } => self.report(self.whom(who)?),
            Action::Note { who, case } => self.note(self.whom(who)?, case),
            Action::Look { who } => {
                let who = self.whom(who)?;
                self.look(who);
                Some(())
            }
            Action::Unplug { who } => {
                let who = self.whom(who)?;
                self.devices[who].plugged = false;
                self.devices[who].daemon = false;
                self.cut_links(|_, dialler, listener| dialler == who || listener == who);
                Some(())
            }
            Action::PlugIn { who } => {
                let who = self.whom(who)?;
                self.devices[who].plugged = true;
                self.devices[who].daemon = true;
                self.dial_later(who);
                Some(())
            }
            Action::Fetch { who } => {
                let who = self.whom(who)?;
                self.devices[who].plugged = true;
                self.connect(who, 0, true);
                Some(())
            }
            Action::Meet { who, point } => {
                let who = self.whom(who)?;
                let points: Vec<Who> = (0..self.devices.len())
                    .filter(|at| self.devices[*at].post == Post::AreaPoint && *at != who)
                    .collect();
                let to = *points.get(point as usize % points.len().max(1))?;
                // Nearby, without the network that the relay is on.
                let plugged = (self.devices[who].plugged, self.devices[to].plugged);
                (self.devices[who].plugged, self.devices[to].plugged) = (true, true);
                self.connect(who, to, true);
                (self.devices[who].plugged, self.devices[to].plugged) = plugged;
                Some(())
            }
            Action::Crash { who, down_ms } => self.end_process(who, down_ms, wangge_store::Disk::crash),
            Action::PowerLoss { who, keep, down_ms } => {
                self.end_process(who, down_ms, |disk| disk.lose_power(keep))
            }
            Action::PowerLossDuring { who, sync, keep, .. } => {
                let who = self.whom(who)?;
                self.devices[who].process.as_ref()?;
                self.devices[who].disk.lose_power_at(sync, keep);
                Some(())
            }
            Action::FailSync { who, down_ms } => {
                let who = self.whom(who)?;
                self.devices[who].process.as_ref()?;
                self.devices[who].disk.fail_next_sync();
                self.at(1_000 + down_ms, Event::Restart(who));
                Some(())
            }
            Action::Fill { who, room_bytes, for_ms } => {
                let who = self.whom(who)?;
                self.devices[who].disk.set_room(Some(room_bytes));
                self.at(for_ms, Event::Free(who));
                Some(())
            }
            Action::Backup { who } => {
                let device = {
                    let who = self.whom(who)?;
                    &mut self.devices[who]
                };
                if device.gone || device.is_damaged() || device.backups.len() >= BACKUPS_MAX {
                    return None;
                }
                device.backups.push(device.disk.image());
                Some(())
            }
            Action::Restore { who, nth } => self.restore(self.whom(who)?, nth),
            Action::Clone { who } => self.clone_device(self.whom(who)?),
            Action::Destroy { who } => self.destroy(self.whom(who)?),
            Action::SetClock { who, off_ms } => {
                let who = self.whom(who)?;
                self.devices[who].world.set_clock(off_ms);
                Some(())
            }
            Action::Enrol { post, grid: at } => {
                let (role, unit) = match post {
                    6 => (Role::AreaClerk, area()),
                    7 => (Role::CentreClerk, Scope::Centre),
                    5 => (Role::GridLeader, grid(at as usize % self.plan.grids)),
                    _ => (Role::GridWorker, grid(at as usize % self.plan.grids)),
                };
                self.enrol(role, &unit)
            }
            Action::AddUnit { nth } => {
                let roster = self.devices[0].process.as_ref()?.roster.clone()?;
                let unit = match nth {
                    0 => Scope::Grid("330881121209".to_owned()),
                    _ => Scope::Team("road".to_owned()),
                };
                let added = roster.add_unit(&unit, "新设", if nth == 0 { "330881121" } else { "" });
                self.disturb(0);
                added.ok()
            }
            Action::Break { nth } => {
                let nth = (nth as usize).checked_rem(self.link_count())?;
                self.cut_links(|at, _, _| at == nth);
                Some(())
            }
            Action::MoveAddress { who } => {
                let who = self.whom(who)?;
                self.cut_links(|_, dialler, listener| dialler == who || listener == who);
                Some(())
            }
            Action::Slow { who, latency_ms } => {
                let who = self.whom(who)?;
                self.devices[who].latency_ms = latency_ms;
                Some(())
            }
            Action::Partition { for_ms } => {
                self.partition_until_ms = self.time.now_ms() + for_ms;
                self.cut_links(|_, _, listener| listener == 0);
                Some(())
            }
            Action::Poison { who, epoch } => self.poison(self.whom(who)?, epoch),
            Action::Erase { nth } => self.erase(nth),
            Action::BackUpRelay => self.back_up_relay(),
            Action::RestoreRelay => self.restore_relay(),
            Action::Revoke { who } => self.revoke(self.whom(who)?),
            Action::Reassign { who, to } => self.reassign(self.whom(who)?, to),
            Action::Checkpoint { grid: at, first } => self.checkpoint(at, first),
            Action::Flip { who, nth } => self.flip(self.whom(who)?, nth),
            Action::Examine { who } => self.examine(self.whom(who)?),
            Action::Update { who } => {
                let who = self.whom(who)?;
                if !self.devices[who].world.is_older() {
                    return None;
                }
                self.install(who, None);
                self.at(0, Event::Restart(who));
                Some(())
            }
            Action::AddPlace { who } => self.add_place(self.whom(who)?),
            Action::Replay { nth } => {
                self.replay(nth as usize);
                Some(())
            }
        }
    }

    // ---- writing

    /// The grid that a device writes to.
    fn home(&mut self, who: Who) -> Option<Scope> {
        let replica = self.devices[who].replica()?.clone();
        if !self.model.erased.is_empty() {
            // What is erased changes under which id a number is registered next.
            let applied = replica.apply();
            self.disturb(who);
            applied.ok()?;
        }
        let held = replica.scopes();
        let mut grids = held.into_iter().filter(|scope| matches!(scope, Scope::Grid(_)));
        let first = grids.next()?;
        // Those who hold several are not always in the same one.
        Some(if self.dice.percent(70) { first } else { grids.next().unwrap_or(first) })
    }

    fn person(&self, who: Who, scope: &Scope, person: u32) -> Option<(String, Place)> {
        let number = number(person);
        let (doc, _) = self.devices[who].replica()?.natural_id(scope, Kind::PERSON, &number).ok()?;
        Some((number, (scope.clone(), Kind::PERSON, doc)))
    }

    fn register(&mut self, who: Who, person: u32) -> Option<()> {
        let scope = self.home(who)?;
        let (number, place) = self.person(who, &scope, person)?;
        let (name, note) = (self.model.text(&scope), self.model.text(&scope));
        let fields = vec![(Some("name"), Some(name.clone())), (Some("note"), Some(note.clone()))];
        let typed = ["person", "add", "--merge", "--anyway", "--unit"].map(str::to_owned).into_iter();
        let typed = typed
            .chain([scope.to_string(), format!("id_number={number}")])
            .chain([format!("name={name}"), format!("note={note}")]);
        self.write(who, vec![(place, fields)], typed_command(typed.collect()))
    }

    fn edit(&mut self, who: Who, person: u32, field: u8, clears: bool) -> Option<()> {
        let scope = self.home(who)?;
        let (number, place) = self.person(who, &scope, person)?;
        let known = self.devices[who].replica()?.get(&place.0, place.1, &place.2).ok()?;
        if known.is_none_or(|view| view.text("name").is_empty()) {
            return self.register(who, person);
        }
        let field = FIELDS[field as usize % FIELDS.len()];
        let value = (!clears).then(|| self.model.text(&scope));
        let typed = format!("{field}={}", value.as_deref().unwrap_or_default());
        let typed =
            ["person".to_owned(), "set".to_owned(), number, "--unit".to_owned(), scope.to_string(), typed];
        self.write(who, vec![(place, vec![(Some(field), value)])], typed_command(typed.to_vec()))
    }

    fn settle_conflict(&mut self, who: Who, nth: u32) -> Option<()> {
        let scope = self.home(who)?;
        let replica = self.devices[who].replica()?.clone();
        let mut open = Vec::new();
        for place in self.model.places_of(&scope, Kind::PERSON) {
            if let Ok(Some(view)) = replica.get(&place.0, place.1, &place.2) {
                open.extend(view.conflicts().map(|(field, _)| (place.clone(), field.to_owned())));
            }
        }
        let (place, field) = open.get(nth as usize % open.len().max(1))?.clone();
        let field: &'static str = FIELDS.into_iter().chain(["name"]).find(|known| *known == field)?;
        let value = self.model.text(&scope);
        let typed = [
            "conflicts".to_owned(),
            "settle".to_owned(),
            place.2.to_string(),
            field.to_owned(),
            "--value".to_owned(),
            value.clone(),
        ];
        self.write(who, vec![(place, vec![(Some(field), Some(value))])], typed_command(typed.to_vec()))
    }

    fn pair(&mut self, who: Who, persons: (u32, u32), field: u8) -> Option<()> {
        if persons.0 == persons.1 {
            return None;
        }
        let scope = self.home(who)?;
        let field = FIELDS[field as usize % FIELDS.len()];
        let mut writes = Vec::new();
        let mut edits = Vec::new();
        for person in [persons.0, persons.1] {
            let (number, place) = self.person(who, &scope, person)?;
            let value = self.model.text(&scope);
            let ops = vec![put("id_number", &number), put(field, &value)];
            edits.push(Edit { doc: place.2, kind: Kind::PERSON, ops });
            writes.push((place, vec![(Some(field), Some(value))]));
        }
        self.write(who, writes, move |replica| {
            replica.commit(&scope, edits, None).map(|_| ()).map_err(|error| error.to_string())
        })
    }

    fn import(&mut self, who: Who, first: u32, count: u32) -> Option<()> {
        let scope = self.home(who)?;
        self.import_into(who, &scope, first, count)
    }

    fn import_into(&mut self, who: Who, scope: &Scope, first: u32, count: u32) -> Option<()> {
        let mut rows: Vec<u32> = (first..first + count).collect();
        while !rows.is_empty() {
            let part: Vec<u32> = rows.drain(..rows.len().min(IMPORT_TRANSACTION)).collect();
            let mut writes = Vec::new();
            let mut edits = Vec::new();
            for person in part {
                let (number, place) = self.person(who, scope, person)?;
                let value = self.model.text(scope);
                let ops = vec![put("id_number", &number), put("name", &value)];
                edits.push(Edit { doc: place.2, kind: Kind::PERSON, ops });
                writes.push((place, vec![(Some("name"), Some(value))]));
            }
            let scope = scope.clone();
            self.write(who, writes, move |replica| {
                replica.commit(&scope, edits, None).map(|_| ()).map_err(|error| error.to_string())
            })?;
        }
        Some(())
    }

    fn report(&mut self, who: Who) -> Option<()> {
        let scope = self.home(who)?;
        let text = self.model.text(&scope);
        // The command draws the document's id: it is found by what was written.
        let typed = ["case", "report", "--category", "消防", "--text", &text, "--unit", &scope.to_string()]
            .map(str::to_owned);
        let before = self.ids(who, &scope, Kind::CASE)?;
        let place = (scope.clone(), Kind::CASE, DocId([0; 16]));
        let fields = vec![(Some("text"), Some(text.clone())), (None, Some(text))];
        self.write_new(who, &before, (place, fields), typed_command(typed.to_vec()))
    }

    fn note(&mut self, who: Who, case: u32) -> Option<()> {
        let scope = self.home(who)?;
        let cases = self.model.places_of(&scope, Kind::CASE);
        let place = cases.get(case as usize % cases.len().max(1))?.clone();
        let text = self.model.text(&scope);
        let typed = ["case", "note", &place.2.to_string(), "--text", &text].map(str::to_owned);
        self.write(who, vec![(place, vec![(None, Some(text))])], typed_command(typed.to_vec()))
    }

    fn add_place(&mut self, who: Who) -> Option<()> {
        if self.devices[who].world.is_older() {
            return None;
        }
        let scope = self.home(who)?;
        let name = self.model.text(&scope);
        let typed =
            ["place", "add", "--unit", &scope.to_string(), &format!("name={name}")].map(str::to_owned);
        let before = self.ids(who, &scope, Kind::PLACE)?;
        let place = (scope.clone(), Kind::PLACE, DocId([0; 16]));
        let fields = vec![(Some("name"), Some(name))];
        self.write_new(who, &before, (place, fields), typed_command(typed.to_vec()))
    }

    /// The register of a grid grows, and somebody joins there.
    fn checkpoint(&mut self, at: u32, first: u32) -> Option<()> {
        let unit = grid(at as usize % self.plan.grids);
        let who = (1..self.devices.len()).find(|who| {
            let replica = self.devices[*who].replica();
            replica.is_some_and(|replica| replica.scopes().contains(&unit))
        })?;
        self.import_into(who, &unit, first, 40)?;
        self.connect(who, 0, true);
        self.enrol(Role::GridWorker, &unit)?;
        let joined = self.devices.len() - 1;
        self.devices[joined].daemon = true;
        self.dial_later(joined);
        Some(())
    }

    /// The program that a device of this plan has.
    fn program(&self, is_older: bool) -> Program {
        let program = if is_older { older() } else { Program::default() };
        let page_documents = self.plan.page_documents.unwrap_or(program.page_documents);
        Program { page_documents, ..program }
    }

    /// Gives a device the newer program, or the one of another device; it runs from its next start on.
    pub(super) fn install(&mut self, who: Who, like: Option<Who>) {
        let is_older = like.is_some_and(|like| self.devices[like].world.is_older());
        let program = self.program(is_older);
        self.devices[who].world.install(program);
    }

    fn ids(&self, who: Who, scope: &Scope, kind: Kind) -> Option<BTreeSet<DocId>> {
        let replica = self.devices[who].replica()?;
        replica.apply().ok()?;
        let mut ids = BTreeSet::new();
        replica
            .each(scope, kind, |view| {
                ids.insert(view.id);
                true
            })
            .ok()?;
        Some(ids)
    }

    /// A write that makes a document whose id nobody knows before.
    fn write_new(
        &mut self,
        who: Who,
        before: &BTreeSet<DocId>,
        (mut place, fields): Write,
        run: impl FnOnce(&std::sync::Arc<Replica>) -> Result<(), String>,
    ) -> Option<()> {
        let replica = self.devices[who].replica()?.clone();
        let result = run(&replica);
        let made: Vec<DocId> =
            self.ids(who, &place.0, place.1).unwrap_or_default().difference(before).copied().collect();
        self.disturb(who);
        match (result, made.as_slice()) {
            (Ok(()), made) => {
                // What a peer sent may have taken effect meanwhile: his own is in a log of this device.
                let own = replica.own_ends(&place.0);
                let found = made.iter().find_map(|doc| {
                    place.2 = *doc;
                    let marks =
                        self.marks(&replica, &place).into_iter().filter(|mark| own.contains_key(&mark.0));
                    let draft = draft(place.clone(), BTreeSet::new(), fields.clone());
                    let mark = carriers(&replica, &draft, marks).first().copied();
                    mark.map(|mark| (draft, mark))
                });
                match found {
                    Some(saved) => self.saved(who, vec![saved]),
                    None => self.fail(Wrong::Lost, format!("{}: saved, but not there", self.name(who))),
                }
            }
            // What it left on a disk that failed, if anything, is nobody's promise.
            (Err(error), _) if self.devices[who].disk.is_poisoned() => self.refused(who, &error),
            (Err(error), []) => self.refused(who, &error),
            (Err(error), _) => {
                self.fail(Wrong::View, format!("{}: refused, but done: {error}", self.name(who)));
            }
        }
        Some(())
    }

    /// Lets a command write and notes what it saved. What it writes is given per document.
    fn write(
        &mut self,
        who: Who,
        writes: Vec<Write>,
        run: impl FnOnce(&std::sync::Arc<Replica>) -> Result<(), String>,
    ) -> Option<()> {
        let replica = self.devices[who].replica()?.clone();
        if let Err(error) = replica.apply() {
            self.excuse(who, "apply", &error);
            self.disturb(who);
            return None;
        }
        let is_readable = |(place, _): &Write| replica.origins(&place.0, place.1, &place.2).is_ok();
        if self.devices[who].is_damaged() && !writes.iter().all(is_readable) {
            // What its author had before him is not known here.
            return None;
        }
        let drafts: Vec<Draft> = writes
            .into_iter()
            .map(|(place, fields)| {
                let before = self.marks(&replica, &place);
                draft(place, before, fields)
            })
            .collect();
        let result = run(&replica);
        self.disturb(who);
        if !self.devices[who].disk.is_alive() {
            // Nobody told the worker whether it was saved; the disk will tell.
            self.unsure(who, drafts);
            return None;
        }
        let mut saved = Vec::new();
        for draft in &drafts {
            let now = self.marks(&replica, &draft.place);
            let new = carriers(&replica, draft, now.difference(&draft.before).copied());
            match (&result, new.as_slice()) {
                (Ok(()), [mark]) => saved.push((draft.clone(), *mark)),
                // Clearing what is empty changes nothing.
                (Ok(()), []) if draft.fields.iter().all(|(_, value)| value.is_none()) => {}
                (Err(_), []) => {}
                (Err(_), [_]) if self.devices[who].disk.is_poisoned() => {}
                // It was saved, and telling what came of it met what is damaged.
                (Err(_), [mark]) if self.devices[who].is_damaged() => saved.push((draft.clone(), *mark)),
                (result, new) => {
                    let what = format!("{}: {result:?}, and {} changes are new", self.name(who), new.len());
                    self.fail(Wrong::Lost, what);
                }
            }
        }
        self.saved(who, saved);
        match result {
            Ok(()) => Some(()),
            Err(error) => {
                // A store that failed is opened again before it tells what it holds.
                if self.devices[who].disk.is_poisoned() {
                    self.unsure(who, drafts);
                }
                self.refused(who, &error);
                None
            }
        }
    }

    /// The disk will tell whether this was saved. After a write that failed the store takes no more: what comes
    /// behind it is not there.
    fn unsure(&mut self, who: Who, drafts: Vec<Draft>) {
        if self.devices[who].unsure.is_empty() {
            self.devices[who].unsure = drafts;
        }
    }

    fn saved(&mut self, who: Who, saved: Vec<(Draft, Mark)>) {
        let by = self.devices[who].key;
        if saved.len() > 1 {
            self.model
                .together
                .push(saved.iter().map(|(draft, mark)| (draft.place.clone(), *mark)).collect());
        }
        for (draft, mark) in saved {
            let saved = self.model.save(&draft, mark, by);
            if let Some(damage) = self.devices[who].damage.as_mut().filter(|damage| !damage.is_over) {
                // What is damaged may be the key that this was sealed with: it is cached until the next start.
                damage.held.extend(saved);
            }
            self.counts.saved += 1;
        }
    }

    fn refused(&mut self, who: Who, error: &str) {
        self.counts.refused += 1;
        self.say(|town| format!("{}: refused: {}", town.name(who), error.lines().last().unwrap_or_default()));
    }

    /// The changes that a replica has of a document.
    pub(super) fn marks(&self, replica: &Replica, (scope, kind, doc): &Place) -> BTreeSet<Mark> {
        let origins = replica.origins(scope, *kind, doc).unwrap_or_default();
        origins.iter().map(mark).collect()
    }

    /// After a start: what was about to be saved when the process died is there, or it is not.
    pub(super) fn resolve_unsure(&mut self, who: Who) {
        let drafts = std::mem::take(&mut self.devices[who].unsure);
        if drafts.is_empty() {
            return;
        }
        let Some(replica) = self.devices[who].replica().cloned() else { return };
        if let Err(error) = replica.apply() {
            // Damage elsewhere keeps from applying what others wrote: what was to be saved may be there all the same.
            self.excuse(who, "apply", &error);
        }
        let mut saved: Vec<(Draft, Mark)> = Vec::new();
        for draft in drafts {
            let (scope, kind, doc) = &draft.place;
            if replica.origins(scope, *kind, doc).is_err() {
                self.devices[who].unsure.push(draft);
                continue;
            }
            let known: BTreeSet<Mark> =
                self.model.of(&draft.place).map(|(_, writing)| writing.mark).collect();
            let marks = self.marks(&replica, &draft.place);
            // A damaged end of a log lets a start open a new epoch: what was saved stands in an earlier one.
            let logs = replica.own_ends(&draft.place.0);
            let own = marks
                .into_iter()
                .filter(|mark| !draft.before.contains(mark) && !known.contains(mark))
                .filter(|mark| logs.contains_key(&mark.0));
            let own = carriers(&replica, &draft, own);
            if let [mark] = own.as_slice() {
                saved.push((draft, *mark));
            }
        }
        self.saved(who, saved);
    }

    /// What a device whose program was tampered with could write: signed with its key, and out of order.
    fn poison(&mut self, who: Who, epoch: u64) -> Option<()> {
        let scope = self.home(who)?;
        let replica = self.devices[who].replica()?.clone();
        let (profile, epoch) = (replica.profile(), Epoch(epoch));
        let author = profile.replica();
        let log = LogId::derive(&scope, &author, epoch);
        let mut doc = [0xee; 16];
        doc[..8].copy_from_slice(&log.0);
        let change = Document::new(DocId(doc), Kind::PERSON).ok()?.draft(vec![put("name", "无人")]);
        let transaction = Transaction {
            log,
            seq: 1,
            lamport: 1 << 40,
            wall_ms: self.time.now_ms(),
            worker: profile.enrolment()?.worker,
            actor_nonce: Some(epoch.0),
            opening: Some(Opening { replica: author, epoch, predecessor: None }),
            seen: Vec::new(),
            changes: vec![change],
            verdicts: Vec::new(),
            erased: Vec::new(),
            turn: None,
        };
        let head = next_head(&EMPTY_HEAD, &transaction.hash(&replica.secret(&scope)?));
        let signature = sign_head(&replica.signing_key(), &log, 1, &head);
        let run = Run { log, branch: None, transactions: vec![transaction], signature };
        let taken = replica.ingest(&scope, vec![run]);
        self.disturb(who);
        taken.ok().map(|_| ())
    }

    // ---- devices

    fn enrol(&mut self, role: Role, unit: &Scope) -> Option<()> {
        let roster = self.devices[0].process.as_ref()?.roster.clone()?;
        if self.devices.len() >= DEVICES_MAX {
            return None;
        }
        let at = self.devices.len();
        let post = match role {
            Role::AreaClerk => Post::AreaPoint,
            Role::CentreClerk => Post::Clerk,
            _ => Post::Worker,
        };
        let name = format!(
            "{}{at}",
            match post {
                Post::AreaPoint => "point",
                Post::Clerk => "clerk",
                _ => "phone",
            }
        );
        // Somebody whom nobody could let in, and his device, may be known to the roster all the same.
        let number = (at + self.unjoined) as u64;
        let invite = Invite {
            worker: format!("人员{number}"),
            role,
            unit: unit.clone(),
            address: Some("127.0.0.1:1".to_owned()),
            term_s: None,
        };
        let disk = Disk::new();
        let world = SimulatedWorld::new(&self.time, Dice::new(self.plan.seed, 100 + number));
        // Who joins later has the newer program.
        let is_founder = self.is_founding;
        world.install(self.program(self.plan.is_older && is_founder));
        let mut device = Device::new(name, post, disk.clone(), world.clone());
        let joined = (|| {
            let line = roster.invite(&invite).map_err(|error| error.to_string())?.to_line();
            let begin = || Joining::begin(&world.machine(&disk), Path::new(&device.name), &line);
            let mut joining = begin().map_err(|error| error.to_string())?;
            let peer = joining.replica().profile().replica();
            let mut question = joining.question().ok_or("nothing to ask")?;
            if self.dice.percent(20) {
                // The answer is lost, and the worker tries again.
                roster.join(&peer, &question).map_err(|error| error.to_string())?;
                drop(joining);
                joining = begin().map_err(|error| error.to_string())?;
                question = joining.question().ok_or("nothing to ask")?;
            }
            let answer = roster.join(&peer, &question).map_err(|error| error.to_string())?;
            joining.answered(answer).map_err(|error| error.to_string())
        })();
        self.disturb(0);
        match joined {
            Ok(replica) => {
                if let Err(error) = device.run(replica) {
                    self.fail(Wrong::Start, error.to_string());
                    return None;
                }
                self.devices.push(device);
                self.disturb(at);
                Some(())
            }
            Err(error) => {
                self.unjoined += 1;
                self.say(|_| format!("nobody joined: {}", error.lines().last().unwrap_or_default()));
                None
            }
        }
    }

    fn end_process(&mut self, who: Who, down_ms: u64, end: impl FnOnce(&Disk)) -> Option<()> {
        let who = self.whom(who)?;
        self.devices[who].process.as_ref()?;
        end(&self.devices[who].disk);
        self.counts.crashes += 1;
        self.die(who);
        self.at(down_ms, Event::Start(who));
        Some(())
    }

    fn restore(&mut self, who: Who, nth: u32) -> Option<()> {
        let backups = &self.devices[who].backups;
        let image = backups.get(nth as usize % backups.len().max(1))?.clone();
        if self.devices[who].gone || self.is_revoked(who) || self.is_moved(who) {
            return None;
        }
        let disk = Disk::of(&image);
        self.count_losses(who, Some(&disk));
        self.replace_disk(who, disk);
        self.devices[who].restored = true;
        self.start(who);
        Some(())
    }

    fn destroy(&mut self, who: Who) -> Option<()> {
        if self.devices[who].gone {
            return None;
        }
        self.count_losses(who, None);
        self.replace_disk(who, Disk::new());
        self.devices[who].gone = true;
        Some(())
    }

    pub(super) fn replace_disk(&mut self, who: Who, disk: Disk) {
        self.devices[who].disk.crash();
        self.die(who);
        self.devices[who].disk = disk;
        self.devices[who].unsure.clear();
        self.devices[who].damage = None;
        self.counts.rollbacks += 1;
    }

    fn clone_device(&mut self, who: Who) -> Option<()> {
        let device = &self.devices[who];
        if self.devices.len() >= DEVICES_MAX || device.gone || device.is_damaged() || self.is_revoked(who) {
            return None;
        }
        // What the centre handed to one of two that it takes for one, the other never gets.
        if self.is_moved(who) {
            return None;
        }
        let at = self.devices.len();
        let disk = Disk::of(&self.devices[who].disk.image());
        let number = (at + self.unjoined) as u64;
        let world = SimulatedWorld::new(&self.time, Dice::new(self.plan.seed, 100 + number));
        let name = format!("{}-copy{at}", self.devices[who].name);
        self.devices.push(Device::new(name, self.devices[who].post, disk, world));
        self.install(at, Some(who));
        // What a failed fsync left may be on the copy, too.
        self.devices[at].unsure = self.devices[who].unsure.clone();
        self.counts.rollbacks += 1;
        self.start(at);
        Some(())
    }

    /// What only this disk holds is lost with it, unless what takes its place holds it.
    pub(super) fn count_losses(&mut self, who: Who, instead: Option<&Disk>) {
        let (mut own, orders) = self.held_by(&self.devices[who].disk);
        own.extend(self.devices[who].damage.iter().flat_map(|damage| &damage.held));
        let (mut safe, mut left) = instead.map(|disk| self.held_by(disk)).unwrap_or_default();
        for (at, device) in self.devices.iter().enumerate() {
            if at != who && !device.gone {
                let (writings, orders) = self.held_by(&device.disk);
                safe.extend(writings);
                left.extend(orders);
            }
        }
        for id in own.difference(&safe) {
            self.model.writings[*id].lost = true;
            self.counts.lost += 1;
        }
        for place in orders.difference(&left) {
            // Nobody else had heard of the order.
            self.model.erased.insert(place.clone(), false);
        }
    }

    /// The writings that a disk would show after a loss of power now, and what it would know as ordered to be erased.
    pub(super) fn held_by(&self, disk: &Disk) -> (BTreeSet<usize>, BTreeSet<Place>) {
        let copy = Disk::of(&disk.durable_image());
        let world = SimulatedWorld::new(&self.time, Dice::new(self.plan.seed, 99));
        let Ok(replica) = Replica::open(Path::new("copy"), world.machine(&copy)) else {
            return (BTreeSet::new(), BTreeSet::new());
        };
        if replica.apply().is_err() {
            return (BTreeSet::new(), BTreeSet::new());
        }
        let orders = replica.erasure_orders().unwrap_or_default();
        let is_ordered = |place: &&Place| orders.iter().any(|order| order.document == place.2);
        let ordered = self.model.erased.keys().filter(is_ordered).cloned().collect();
        let mut held = BTreeSet::new();
        for place in self.model.places() {
            let marks = self.marks(&replica, place);
            held.extend(self.model.of(place).filter(|(_, w)| marks.contains(&w.mark)).map(|(id, _)| id));
        }
        (held, ordered)
    }

    /// Lets the relay decide on all that it has.
    pub(super) fn decide(&mut self) {
        let Some(roster) = self.devices[0].process.as_ref().and_then(|process| process.roster.clone()) else {
            return;
        };
        if let Err(error) = decide_now(roster.replica()) {
            self.excuse(0, "decide", &error);
        }
        self.disturb(0);
        self.calm();
    }
}

/// A document and the fields that are written there.
type Write = (Place, Vec<(Option<&'static str>, Option<String>)>);

fn draft(place: Place, before: BTreeSet<Mark>, fields: Vec<(Option<&'static str>, Option<String>)>) -> Draft {
    let fields = fields.into_iter().map(|(field, value)| (field.map(str::to_owned), value)).collect();
    Draft { place, before, fields }
}

/// Of the changes that are new in a document, those that may carry what was to be written. A command about a
/// case may also carry over what has come of it from other units: an event is found by its text.
fn carriers(replica: &Replica, draft: &Draft, new: impl IntoIterator<Item = Mark>) -> Vec<Mark> {
    let new: Vec<Mark> = new.into_iter().collect();
    let [(None, Some(text))] = draft.fields.as_slice() else { return new };
    let (scope, kind, doc) = &draft.place;
    let Ok(Some(view)) = replica.get(scope, *kind, doc) else { return new };
    let said: BTreeSet<(LogId, u64)> = view
        .histories
        .get("events")
        .into_iter()
        .flatten()
        .filter(|event| text_of(&event.value).as_ref() == Some(text))
        .map(|event| (event.log, event.seq))
        .collect();
    new.into_iter().filter(|mark| said.contains(&(mark.0, mark.1))).collect()
}

fn area() -> Scope {
    Scope::Area("330881121".to_owned())
}

thread_local! {
    /// Building it takes a tenth of a run.
    static PARSER: RefCell<clap::Command> = RefCell::new(Typed::command());
}

/// Does a command as the command line would.
fn typed_command(typed: Vec<String>) -> impl FnOnce(&std::sync::Arc<Replica>) -> Result<(), String> {
    move |replica| {
        let typed = PARSER.with_borrow_mut(|parser| {
            let matches = parser.try_get_matches_from_mut(&typed)?;
            Typed::from_arg_matches(&matches)
        });
        let typed = typed.map_err(|error: clap::Error| error.to_string())?;
        execute(replica, &typed.command, &Unwatched).map(|_| ()).map_err(|error| error.message)
    }
}
