//! Boundaries of grids, in versions, and the grid that a position lies in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wangge_model::checks::{CheckError, Coordinates, Date, text};
use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::identity::Scope;
use wangge_model::org::boundary::{Boundary, BoundaryError, datum};
use wangge_model::schema::Kind;

use crate::command::edits::bounded;
use crate::command::instant::When;
use crate::command::units::{Meant, Units};
use crate::command::{Answer, CommandError, file, instant};
use crate::replica::{Edit, Replica, ReplicaError};
use crate::text::{Message, RegisterMessage};

/// Longest GeoJSON file, in bytes.
const FILE_LEN_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Pieces of a boundary in one transaction.
const PIECES_TOGETHER_MAX: usize = 4;

/// What can be done with boundaries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum BoundaryCommand {
    /// Sets the next version of a grid's boundary.
    Set(SetBoundaryArgs),
    /// Shows one.
    Show(ShowBoundaryArgs),
    /// Lists all versions.
    List(ListBoundariesArgs),
}

/// What to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct SetBoundaryArgs {
    /// The grid.
    pub grid: String,
    /// The file, GeoJSON.
    pub file: PathBuf,
    /// Its coordinate system: WGS-84 or CGCS2000.
    #[arg(long)]
    pub datum: Option<String>,
    /// From which day on it holds.
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
    /// Why it changed.
    #[arg(long)]
    pub note: Option<String>,
    /// When it happened.
    #[command(flatten)]
    #[serde(default)]
    pub when: When,
}

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ShowBoundaryArgs {
    /// The grid.
    pub grid: String,
    /// Which version; by default the one that holds.
    #[arg(long)]
    pub version: Option<i64>,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct ListBoundariesArgs {
    /// The grid; by default all.
    pub grid: Option<String>,
}

/// A position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct LocateArgs {
    /// Degrees east.
    #[arg(allow_negative_numbers = true)]
    pub longitude: String,
    /// Degrees north.
    #[arg(allow_negative_numbers = true)]
    pub latitude: String,
    /// Its coordinate system: WGS-84 or CGCS2000.
    #[arg(long)]
    pub datum: Option<String>,
}

impl From<BoundaryError> for CommandError {
    fn from(error: BoundaryError) -> Self {
        let code = error.code();
        Self { message: error.to_string(), ..Self::failed(code, &Message::TextMissing) }
    }
}

/// One version of a boundary.
pub(super) struct Version {
    pub(super) scope: Scope,
    pub(super) version: i64,
    pub(super) effective_on: String,
    pub(super) view: DocumentView,
}

impl Version {
    fn of(view: DocumentView) -> Option<Self> {
        let version = match view.value("version") {
            Some(Scalar::Int(version)) => *version,
            _ => return None,
        };
        let scope = view.text("scope").parse().ok()?;
        Some(Self { scope, version, effective_on: view.text("effective_on"), view })
    }

    pub(super) fn boundary(&self) -> Option<Boundary> {
        let pieces = match self.view.value("pieces") {
            Some(Scalar::Int(pieces)) => usize::try_from(*pieces).ok()?,
            _ => return None,
        };
        let parts = self.view.sets.get("parts")?;
        let texts: Vec<String> =
            parts.values().take(pieces).map(|register| register.shown.value.to_text()).collect();
        if texts.len() < pieces {
            return None;
        }
        Boundary::of_pieces(texts.iter().map(String::as_str))
    }
}

/// All versions, the latest of each unit last.
pub(super) fn versions(replica: &Replica) -> Result<Vec<Version>, ReplicaError> {
    let mut found = Vec::new();
    replica.each(&Scope::Street, Kind::BOUNDARY, |view| {
        found.extend(Version::of(view));
        true
    })?;
    found.sort_by(|a, b| (&a.scope, a.version, a.view.id).cmp(&(&b.scope, b.version, b.view.id)));
    Ok(found)
}

/// The versions that hold on a day.
pub(super) fn current(replica: &Replica, day: &str) -> Result<BTreeMap<Scope, Version>, ReplicaError> {
    let holding = versions(replica)?.into_iter().filter(|version| version.effective_on.as_str() <= day);
    Ok(holding.map(|version| (version.scope.clone(), version)).collect())
}

pub(super) fn execute(replica: &Replica, command: &BoundaryCommand) -> Result<Answer, CommandError> {
    match command {
        BoundaryCommand::Set(args) => set(replica, args),
        BoundaryCommand::Show(args) => show(replica, args),
        BoundaryCommand::List(args) => list(replica, args),
    }
}

/// The unit of the street that was typed, held here or not.
pub(super) fn unit(replica: &Replica, typed: &str) -> Result<Scope, CommandError> {
    let units = Units::load(replica)?;
    let known = replica.roster()?;
    let found = match typed.parse::<Scope>() {
        Ok(scope) => known.units().contains_key(&scope).then_some(scope),
        Err(_) => match units.meant(typed) {
            Meant::One(unit) => Some(unit.scope.clone()),
            _ => known.units().keys().find(|scope| scope.code() == typed).cloned(),
        },
    };
    found.ok_or_else(|| {
        let units = units.known();
        CommandError::failed("unit-unknown", &Message::UnitUnknown { typed, units: &units })
    })
}

fn version_json(version: &Version) -> Value {
    let Version { scope, version: number, effective_on, view } = version;
    json!({
        "id": view.id.to_string(),
        "scope": scope,
        "version": number,
        "datum": view.text("datum"),
        "effective_on": effective_on,
        "note": view.text("note"),
    })
}

fn set(replica: &Replica, args: &SetBoundaryArgs) -> Result<Answer, CommandError> {
    let at_ms = args.when.ms(replica)?;
    let scope = unit(replica, &args.grid)?;
    let bytes = file::read(&args.file, FILE_LEN_BYTES_MAX)?;
    let typed = String::from_utf8_lossy(&bytes);
    let about = |error: BoundaryError| CommandError::from(error).about(&args.file);
    let (boundary, stated) = Boundary::from_geojson(&typed).map_err(about)?;
    let datum = match (&args.datum, stated) {
        (Some(typed), _) => datum(typed)?,
        (None, Some(stated)) => stated,
        (None, None) => "WGS-84",
    };
    let today = instant::day(replica.now_ms());
    let effective = match &args.effective {
        Some(typed) => Date::parse(typed).map_err(CheckError::from)?.to_string(),
        None => today,
    };
    let note = bounded(text::free_text(args.note.as_deref().unwrap_or_default()))?;
    let last = versions(replica)?.iter().filter(|v| v.scope == scope).map(|v| v.version).max().unwrap_or(0);
    let number = last + 1;
    let secret = replica.secret(&Scope::Street).ok_or(ReplicaError::NotHeld { scope: Scope::Street })?;
    let doc =
        secret.natural_id(Kind::BOUNDARY, &format!("{scope}|{number}|{}", replica.profile().replica()), 0);
    let edit = |ops: Vec<Op>| vec![Edit { doc, kind: Kind::BOUNDARY, ops }];
    let pieces = boundary.to_pieces();
    let entries: Vec<Op> = pieces
        .iter()
        .enumerate()
        .map(|(at, piece)| Op {
            target: Target::Entry { container: "parts".to_owned(), key: format!("{at:04}") },
            value: Some(piece.as_str().into()),
        })
        .collect();
    for part in entries.chunks(PIECES_TOGETHER_MAX) {
        replica.commit(&Scope::Street, edit(part.to_vec()), at_ms)?;
    }
    // With its version it counts; without, nobody reads it.
    let field = |name: &str, value: Scalar| Op { target: Target::Field(name.to_owned()), value: Some(value) };
    let mut ops = vec![
        field("scope", scope.to_string().into()),
        field("version", Scalar::Int(number)),
        field("pieces", Scalar::Int(pieces.len() as i64)),
        field("datum", datum.into()),
        field("effective_on", effective.as_str().into()),
    ];
    if !note.is_empty() {
        ops.push(field("note", note.as_str().into()));
    }
    replica.commit(&Scope::Street, edit(ops), at_ms)?;
    let shown = scope.to_string();
    let message = RegisterMessage::BoundarySet { unit: &shown, version: number, points: boundary.points() };
    Ok(Answer {
        json: json!({
            "id": doc.to_string(), "scope": scope, "version": number, "datum": datum,
            "effective_on": effective, "points": boundary.points(),
        }),
        text: Message::Register(message).line(),
    })
}

fn show(replica: &Replica, args: &ShowBoundaryArgs) -> Result<Answer, CommandError> {
    let scope = unit(replica, &args.grid)?;
    let today = instant::day(replica.now_ms());
    let found = match args.version {
        Some(number) => versions(replica)?.into_iter().find(|v| v.scope == scope && v.version == number),
        None => current(replica, &today)?.remove(&scope),
    };
    let whole = found.as_ref().and_then(|version| Some((version, version.boundary()?)));
    let Some((version, boundary)) = whole else {
        let unit = scope.to_string();
        let message = RegisterMessage::NoBoundary { unit: &unit };
        return Err(CommandError::failed("no-boundary", &Message::Register(message)));
    };
    let mut json = version_json(version);
    json["points"] = boundary.points().into();
    json["geometry"] = boundary.to_geojson();
    let text = format!("{scope}  v{}  {}  {}", version.version, version.effective_on, boundary.to_geojson());
    Ok(Answer { json, text })
}

fn list(replica: &Replica, args: &ListBoundariesArgs) -> Result<Answer, CommandError> {
    let mut found = versions(replica)?;
    if let Some(grid) = &args.grid {
        let scope = unit(replica, grid)?;
        found.retain(|version| version.scope == scope);
    }
    let lines: Vec<String> = found
        .iter()
        .map(|v| format!("{}  v{}  {}  {}", v.scope, v.version, v.effective_on, v.view.text("datum")))
        .collect();
    Ok(Answer { json: found.iter().map(version_json).collect(), text: lines.join("\n") })
}

/// The units whose boundary holds the position, the smallest first.
pub(super) fn holding(
    current: &BTreeMap<Scope, Version>,
    longitude: f64,
    latitude: f64,
) -> Vec<(Scope, i64)> {
    let mut found: Vec<(f64, Scope, i64)> = current
        .values()
        .filter_map(|version| {
            let boundary = version.boundary()?;
            let inside = boundary.contains(longitude, latitude);
            inside.then(|| (boundary.size(), version.scope.clone(), version.version))
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(_, scope, version)| (scope, version)).collect()
}

pub(super) fn locate(replica: &Replica, args: &LocateArgs) -> Result<Answer, CommandError> {
    let degrees = |typed: &str| {
        let read = text::compact(typed).parse::<f64>().ok().filter(|degrees| degrees.is_finite());
        read.ok_or_else(|| CommandError::failed("value-unreadable", &Message::DegreesUnreadable { typed }))
    };
    let (longitude, latitude) = (degrees(&args.longitude)?, degrees(&args.latitude)?);
    Coordinates::new(longitude, latitude).map_err(CheckError::from)?;
    if let Some(typed) = &args.datum {
        datum(typed)?;
    }
    let current = current(replica, &instant::day(replica.now_ms()))?;
    let units = Units::load(replica)?;
    let found = holding(&current, longitude, latitude);
    let json: Vec<Value> = found
        .iter()
        .map(|(scope, version)| json!({ "scope": scope, "name": units.name(scope), "version": version }))
        .collect();
    let mut lines: Vec<String> =
        found.iter().map(|(scope, version)| format!("{} ({scope})  v{version}", units.name(scope))).collect();
    if found.is_empty() {
        lines.push(Message::Register(RegisterMessage::NowhereInside).line());
    }
    Ok(Answer { json: json.into(), text: lines.join("\n") })
}
