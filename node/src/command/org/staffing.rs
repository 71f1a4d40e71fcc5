//! The units of the street with who works there, and what they lack.

use std::collections::BTreeMap;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::identity::{Role, Scope};
use wangge_model::org::staffing::{Area, Grid, Missing, POSTED_DOWN_PERCENT_MIN, posted_down_percent};
use wangge_model::schema::Kind;

use super::AreaArgs;
use super::boundary::unit;
use super::records::{is_ad_hoc, records};
use crate::command::{Answer, CommandError};
use crate::replica::{Edit, Replica};
use crate::text::{Label, Message, RegisterMessage, role_zh};

/// Which grids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct StaffingArgs {
    /// One grid only.
    pub grid: Option<String>,
}

fn is_true(view: &DocumentView, field: &str) -> bool {
    matches!(view.value(field), Some(Scalar::Bool(true)))
}

/// The street as it stands now.
struct Street {
    units: BTreeMap<Scope, (String, String)>,
    natures: BTreeMap<Scope, String>,
    posts: Vec<(String, Role, Scope)>,
    forces: Vec<DocumentView>,
    points: Vec<DocumentView>,
    devices: Vec<DocumentView>,
}

impl Street {
    fn load(replica: &Replica) -> Result<Self, CommandError> {
        let roster = replica.roster()?;
        let now = replica.now_ms();
        let units = roster.units().iter();
        let units = units.map(|(scope, unit)| (scope.clone(), (unit.name.clone(), unit.area.clone())));
        let mut natures = BTreeMap::new();
        replica.each(&Scope::Street, Kind::UNIT, |view| {
            let nature = view.sets.get("extra").and_then(|extra| extra.get("nature"));
            if let (Ok(scope), Some(nature)) = (view.text("scope").parse::<Scope>(), nature) {
                natures.insert(scope, nature.shown.value.to_text());
            }
            true
        })?;
        let mut posts = Vec::new();
        for worker in roster.workers().values() {
            let holding = worker.posts().filter(|post| post.term.holds_at(now));
            posts.extend(holding.map(|post| (worker.name.clone(), post.role, post.unit)));
        }
        Ok(Self {
            units: units.collect(),
            natures,
            posts,
            forces: records(replica, Kind::FORCE)?,
            points: records(replica, Kind::WORK_POINT)?,
            devices: records(replica, Kind::DEVICE)?,
        })
    }

    fn name(&self, scope: &Scope) -> String {
        self.units.get(scope).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// 子网格: grids whose code begins with this one's and a dash.
    fn sub_grids(&self, grid: &Scope) -> Vec<Scope> {
        let prefix = format!("{}-", grid.code());
        let is_sub = |scope: &&Scope| matches!(scope, Scope::Grid(code) if code.starts_with(&prefix));
        self.units.keys().filter(is_sub).cloned().collect()
    }

    fn is_sub_grid(&self, scope: &Scope) -> bool {
        let above = scope.code().rsplit_once('-').map(|(above, _)| Scope::Grid(above.to_owned()));
        above.is_some_and(|above| self.units.contains_key(&above))
    }

    fn grids(&self) -> impl Iterator<Item = &Scope> {
        self.units.keys().filter(|scope| matches!(scope, Scope::Grid(_)) && !self.is_sub_grid(scope))
    }

    fn holders(&self, role: Role, units: &[Scope]) -> Vec<String> {
        let holding = self.posts.iter().filter(|(_, held, unit)| *held == role && units.contains(unit));
        let mut names: Vec<String> = holding.map(|(name, _, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn grid(&self, scope: &Scope) -> Grid {
        let sub_grids = self.sub_grids(scope);
        let mut all = sub_grids.clone();
        all.push(scope.clone());
        let is_here = |view: &&DocumentView| view.text("scope").parse().is_ok_and(|unit| all.contains(&unit));
        let leaders = self.holders(Role::GridLeader, std::slice::from_ref(scope));
        let is_cadre = |name: &&String| {
            self.forces.iter().any(|force| force.text("name") == **name && is_true(force, "cadre"))
        };
        let devices = |kind: &str| {
            let of_kind = |view: &&DocumentView| view.text("device_kind") == kind;
            self.devices.iter().filter(is_here).filter(of_kind).count()
        };
        Grid {
            cadres: leaders.iter().filter(is_cadre).cloned().collect(),
            leaders,
            workers: self.holders(Role::GridWorker, &all),
            sub_grids: sub_grids.len(),
            forces: self
                .forces
                .iter()
                .filter(is_here)
                .filter(|view| !view.text("force_kind").is_empty())
                .count(),
            points: self.points.iter().filter(is_here).count(),
            workstations: devices("01"),
            phones: devices("02"),
        }
    }

    fn area(&self, scope: &Scope) -> Area {
        let here = std::slice::from_ref(scope);
        let cadres = self.forces.iter().filter(|force| is_true(force, "cadre"));
        let is_here =
            |force: &&DocumentView| force.text("scope").parse().is_ok_and(|unit: Scope| unit == *scope);
        let is_in = |grid: &&Scope| self.units.get(*grid).is_some_and(|(_, area)| area == scope.code());
        Area {
            heads: self.holders(Role::AreaHead, here),
            clerks: self.holders(Role::AreaClerk, here),
            cadres: cadres.filter(is_here).map(|force| force.text("name")).collect(),
            grids: self.grids().filter(is_in).count(),
            enterprise: self.natures.get(scope).is_some_and(|nature| nature == "enterprise"),
        }
    }
}

fn missing_json(missing: &[Missing]) -> Vec<Value> {
    let message = |missing: &Missing| Message::Register(RegisterMessage::Missing { what: *missing });
    missing
        .iter()
        .map(|missing| json!({ "code": missing.code(), "message": message(missing).both() }))
        .collect()
}

fn missing_text(missing: &[Missing]) -> String {
    let message = |missing: &Missing| Message::Register(RegisterMessage::Missing { what: *missing }).zh();
    missing.iter().map(message).collect::<Vec<_>>().join("、")
}

pub(super) fn staffing(replica: &Replica, args: &StaffingArgs) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let only = args.grid.as_deref().map(|typed| unit(replica, typed)).transpose()?;
    let mut lines = Vec::new();
    let mut complete = true;
    let mut grids = Vec::new();
    for scope in street.grids().filter(|scope| only.as_ref().is_none_or(|only| only == *scope)) {
        let grid = street.grid(scope);
        let missing = grid.missing();
        complete &= missing.is_empty();
        let state = Message::Register(RegisterMessage::Staffed { missing: &missing_text(&missing) }).zh();
        lines.push(format!("{} ({scope})  {state}", street.name(scope)));
        grids.push(json!({
            "scope": scope,
            "name": street.name(scope),
            "leaders": grid.leaders,
            "cadres": grid.cadres,
            "workers": grid.workers,
            "workers_needed": grid.workers_needed(),
            "sub_grids": street.sub_grids(scope),
            "forces": grid.forces,
            "work_points": grid.points,
            "workstations": grid.workstations,
            "phones": grid.phones,
            "phones_needed": grid.phones_needed(),
            "missing": missing_json(&missing),
        }));
    }
    let mut areas = Vec::new();
    let is_area = |scope: &&Scope| matches!(scope, Scope::Area(_));
    for scope in street.units.keys().filter(is_area).filter(|_| only.is_none()) {
        let area = street.area(scope);
        let missing = area.missing();
        complete &= missing.is_empty();
        let state = Message::Register(RegisterMessage::Staffed { missing: &missing_text(&missing) }).zh();
        lines.push(format!("{} ({scope})  {state}", street.name(scope)));
        areas.push(json!({
            "scope": scope,
            "name": street.name(scope),
            "heads": area.heads,
            "clerks": area.clerks,
            "cadres": area.cadres,
            "grids": area.grids,
            "missing": missing_json(&missing),
        }));
    }
    let json = json!({ "complete": complete, "grids": grids, "areas": areas });
    Ok(Answer { json, text: lines.join("\n") })
}

/// 干部下沉比例 (art. 6).
pub(super) fn cadres(replica: &Replica) -> Result<Answer, CommandError> {
    let forces = records(replica, Kind::FORCE)?;
    let cadres = forces.iter().filter(|view| is_true(view, "cadre")).count();
    let down = forces.iter().filter(|view| is_true(view, "cadre") && is_true(view, "posted_down")).count();
    let percent = posted_down_percent(cadres, down);
    let reached = cadres > 0 && down * 100 >= cadres * POSTED_DOWN_PERCENT_MIN;
    let message = RegisterMessage::Cadres { cadres, down, percent: percent.unwrap_or(0), reached };
    Ok(Answer {
        json: json!({
            "cadres": cadres,
            "posted_down": down,
            "percent": percent,
            "percent_min": POSTED_DOWN_PERCENT_MIN,
            "reached": reached,
        }),
        text: Message::Register(message).line(),
    })
}

pub(super) fn area(replica: &Replica, args: &AreaArgs) -> Result<Answer, CommandError> {
    let scope = unit(replica, &args.area)?;
    let nature = match args.nature.trim() {
        "work" | "工作片" => "work",
        "enterprise" | "企业片" => "enterprise",
        typed => {
            let message = RegisterMessage::CodeUnknown {
                label: Label { en: "nature", zh: "片区性质" },
                typed,
                allowed: "work 工作片、enterprise 企业片",
                table: "",
            };
            return Err(CommandError::failed("code-unknown", &Message::Register(message)));
        }
    };
    let roster = replica.roster()?;
    let found = roster.units().get(&scope).filter(|_| matches!(scope, Scope::Area(_)));
    let Some(entry) = found else {
        let units = roster.units().keys().filter(|scope| matches!(scope, Scope::Area(_)));
        let units = units.map(ToString::to_string).collect::<Vec<_>>().join("、");
        let message = Message::UnitUnknown { typed: &args.area, units: &units };
        return Err(CommandError::failed("unit-unknown", &message));
    };
    let op = Op {
        target: Target::Entry { container: "extra".to_owned(), key: "nature".to_owned() },
        value: Some(nature.into()),
    };
    replica.commit(
        &Scope::Street,
        vec![Edit { doc: entry.doc, kind: Kind::UNIT, ops: vec![op] }],
        args.when.ms(replica)?,
    )?;
    let message = Message::Saved { name: &entry.name, id: &args.area, created: false };
    Ok(Answer { json: json!({ "scope": scope, "nature": nature }), text: message.line() })
}

/// Street, areas, grids and sub-grids, teams, with who holds what post.
pub(super) fn tree(replica: &Replica) -> Result<Answer, CommandError> {
    let street = Street::load(replica)?;
    let people = |scope: &Scope| -> Vec<Value> {
        let here = street.posts.iter().filter(|(_, _, unit)| unit == scope);
        here.map(|(name, role, _)| json!({ "name": name, "role": role })).collect()
    };
    let people_text = |scope: &Scope| -> String {
        let here = street.posts.iter().filter(|(_, _, unit)| unit == scope);
        here.map(|(name, role, _)| format!("{} {name}", role_zh(*role))).collect::<Vec<_>>().join("、")
    };
    let mut lines = Vec::new();
    let node = |scope: &Scope, depth: usize, lines: &mut Vec<String>| -> Value {
        let indent = "  ".repeat(depth);
        lines.push(format!("{indent}{} ({scope})  {}", street.name(scope), people_text(scope)));
        json!({ "scope": scope, "name": street.name(scope), "people": people(scope) })
    };
    let mut root = node(&Scope::Street, 0, &mut lines);
    let centre = node(&Scope::Centre, 1, &mut lines);
    let mut areas = Vec::new();
    let area_scopes: Vec<Scope> =
        street.units.keys().filter(|scope| matches!(scope, Scope::Area(_))).cloned().collect();
    for area in &area_scopes {
        let mut json = node(area, 1, &mut lines);
        json["nature"] = street.natures.get(area).map_or("work", String::as_str).into();
        let mut grids = Vec::new();
        let in_area = |grid: &&Scope| street.units.get(*grid).is_some_and(|(_, of)| of == area.code());
        for grid in street.grids().filter(in_area) {
            let mut json = node(grid, 2, &mut lines);
            let subs: Vec<Value> =
                street.sub_grids(grid).iter().map(|sub| node(sub, 3, &mut lines)).collect();
            json["sub_grids"] = subs.into();
            grids.push(json);
        }
        json["grids"] = grids.into();
        areas.push(json);
    }
    let mut teams = Vec::new();
    for team in street.units.keys().filter(|scope| matches!(scope, Scope::Team(_))) {
        teams.push(node(team, 1, &mut lines));
    }
    for view in records(replica, Kind::TEAM)? {
        teams.push(json!({
            "id": view.id.to_string(), "name": view.text("name"), "scope": view.text("scope"),
            "ad_hoc": is_ad_hoc(&view.text("kind")), "lead": view.text("lead"),
            "starts_on": view.text("starts_on"), "ends_on": view.text("ends_on"),
        }));
        lines.push(format!("  {} {} {}", view.text("kind"), view.text("name"), view.text("lead")));
    }
    root["centre"] = centre;
    root["areas"] = areas.into();
    root["teams"] = teams.into();
    Ok(Answer { json: root, text: lines.join("\n") })
}
