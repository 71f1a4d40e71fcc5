//! Villages and their scopes: what a name in a ledger or on the command line means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use wangge_model::checks::text;
use wangge_model::codes::Codes;
use wangge_model::identity::Scope;
use wangge_model::schema::Kind;

use super::CommandError;
use crate::replica::{Replica, ReplicaError};
use crate::text::Message;

/// A grid (网格): one village or community (art. 16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) scope: Scope,
    /// The official name, empty while the centre's list has not come yet.
    pub(super) name: String,
}

impl Unit {
    /// As a list shows it.
    pub(super) fn shown(&self) -> String {
        if self.name.is_empty() { self.scope.to_string() } else { format!("{} ({})", self.name, self.scope) }
    }
}

/// What a name means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant<'a> {
    One(&'a Unit),
    Several(Vec<&'a Unit>),
    Unknown,
}

/// The grids of the street, and which of them are held here.
pub(super) struct Units {
    all: Vec<Unit>,
    /// Normal name or code -> units that are called exactly so.
    exact: BTreeMap<String, BTreeSet<usize>>,
    /// Other ways to write a name -> units.
    loose: BTreeMap<String, BTreeSet<usize>>,
    held: BTreeSet<Scope>,
    street_name: String,
    /// The code tables that hold in the street.
    codes: Codes,
}

/// Units that a message lists at most: the centre holds all of a street.
const LISTED_MAX: usize = 8;

const VILLAGE: [&str; 5] = ["村民委员会", "村委会", "村村民委员会", "村村委会", "村"];
const COMMUNITY: [&str; 6] = ["社区居民委员会", "社区居委会", "社区", "居民委员会", "居委会", "社区村居委会"];

/// The name without its ending, and the endings that mean the same.
fn stem(name: &str) -> Option<(&str, &'static [&'static str])> {
    for (endings, all) in [
        (&["村民委员会", "村委会"][..], &VILLAGE[..]),
        (&["社区居民委员会", "社区居委会", "居民委员会", "居委会", "社区"][..], &COMMUNITY[..]),
        (&["村"][..], &VILLAGE[..]),
    ] {
        for ending in endings {
            if let Some(stem) = name.strip_suffix(ending)
                && !stem.is_empty()
            {
                return Some((stem, all));
            }
        }
    }
    None
}

/// Letters alone, so that brackets and blanks do not matter.
fn normal(name: &str) -> String {
    text::compact(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

impl Units {
    pub(super) fn load(replica: &Replica) -> Result<Self, ReplicaError> {
        let held =
            replica.open_scopes().into_iter().filter(|scope| matches!(scope, Scope::Grid(_))).collect();
        let street_name =
            replica.profile().grant().map_or_else(String::new, |grant| grant.street_name.clone());
        let mut all = Vec::new();
        replica.each(&Scope::Street, Kind::UNIT, |view| {
            if let Ok(scope @ Scope::Grid(_)) = view.text("scope").parse::<Scope>() {
                all.push(Unit { scope, name: view.text("name") });
            }
            true
        })?;
        Ok(Self { codes: codes(replica)?, ..Self::of(all, held, &street_name) })
    }

    /// The code tables that hold in the street.
    pub(super) fn codes(&self) -> &Codes {
        &self.codes
    }

    fn of(mut all: Vec<Unit>, held: BTreeSet<Scope>, street_name: &str) -> Self {
        all.sort_by(|a, b| a.scope.cmp(&b.scope));
        all.dedup_by(|a, b| a.scope == b.scope);
        let mut exact: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let mut loose: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (index, unit) in all.iter().enumerate() {
            exact.entry(unit.scope.code().to_owned()).or_default().insert(index);
            let name = normal(&unit.name);
            if name.is_empty() {
                continue;
            }
            if let Some((stem, endings)) = stem(&name) {
                loose.entry(stem.to_owned()).or_default().insert(index);
                for ending in endings {
                    loose.entry(format!("{stem}{ending}")).or_default().insert(index);
                }
                // 市上村 + 村民委员会 is written 市上村民委员会 too.
                if let Some(short) = stem.strip_suffix('村') {
                    for ending in endings {
                        loose.entry(format!("{short}{ending}")).or_default().insert(index);
                    }
                }
            }
            exact.entry(name).or_default().insert(index);
        }
        Self { all, exact, loose, held, street_name: normal(street_name), codes: Codes::default() }
    }

    /// Whether the centre's list of grids has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn holds(&self, scope: &Scope) -> bool {
        self.held.contains(scope)
    }

    /// The grids held here.
    pub(super) fn held(&self) -> Vec<Unit> {
        let unit = |scope: &Scope| Unit { scope: scope.clone(), name: self.name(scope) };
        self.held.iter().map(unit).collect()
    }

    /// The official name of a scope, empty if it is not known here.
    pub(super) fn name(&self, scope: &Scope) -> String {
        self.all.iter().find(|unit| unit.scope == *scope).map_or_else(String::new, |unit| unit.name.clone())
    }

    /// What a name, a name written another way, or a 12-digit code means.
    pub(super) fn meant(&self, typed: &str) -> Meant<'_> {
        let whole = normal(typed);
        let short = whole.strip_prefix(self.street_name.as_str()).unwrap_or_default().to_owned();
        for name in [whole, short] {
            for names in [&self.exact, &self.loose] {
                if let Some(found) = names.get(&name) {
                    let mut units = found.iter().filter_map(|index| self.all.get(*index));
                    return match (units.next(), found.len()) {
                        (Some(unit), 1) => Meant::One(unit),
                        _ => Meant::Several(found.iter().filter_map(|index| self.all.get(*index)).collect()),
                    };
                }
            }
        }
        Meant::Unknown
    }

    /// The grid held here that `typed` names: a scope, a village's name or code.
    pub(super) fn named(&self, typed: &str) -> Result<Unit, CommandError> {
        let unit = match typed.parse::<Scope>() {
            Ok(scope) => Unit { name: self.name(&scope), scope },
            Err(_) => match self.meant(typed) {
                Meant::One(unit) => unit.clone(),
                Meant::Several(units) => {
                    let units = list(units);
                    return Err(CommandError::failed(
                        "unit-ambiguous",
                        &Message::UnitAmbiguous { typed, units: &units },
                    ));
                }
                Meant::Unknown => {
                    // Before the first sync a code is all there is.
                    let scope = Scope::Grid(normal(typed));
                    if !self.holds(&scope) {
                        let units = self.possible();
                        return Err(CommandError::failed(
                            "unit-unknown",
                            &Message::UnitUnknown { typed, units: &units },
                        ));
                    }
                    Unit { scope, name: String::new() }
                }
            },
        };
        if self.holds(&unit.scope) {
            Ok(unit)
        } else {
            let (typed, units) = (unit.shown(), self.possible());
            Err(CommandError::failed("unit-not-held", &Message::UnitNotHeld { typed: &typed, units: &units }))
        }
    }

    /// Where a new record goes: what was said, or the only grid held here.
    pub(super) fn choose(&self, said: Option<&str>) -> Result<Unit, CommandError> {
        if let Some(typed) = said {
            return self.named(typed);
        }
        let mut held = self.held();
        if held.is_empty() {
            return Err(CommandError::failed("no-unit", &Message::NoGridHeld));
        }
        if held.len() > 1 {
            let units = self.possible();
            return Err(CommandError::failed("unit-missing", &Message::UnitMissing { units: &units }));
        }
        Ok(held.remove(0))
    }

    /// The grids of the street, as a message lists them.
    pub(super) fn known(&self) -> String {
        list(&self.all)
    }

    fn possible(&self) -> String {
        let held = self.held();
        list(held.iter())
    }
}

/// The code tables that ship with the program, and over them what the centre set.
pub(super) fn codes(replica: &Replica) -> Result<Codes, ReplicaError> {
    static SHIPPED: OnceLock<Codes> = OnceLock::new();
    let mut codes = SHIPPED.get_or_init(Codes::shipped).clone();
    replica.each(&Scope::Street, Kind::CODES, |view| {
        codes.set(&view);
        true
    })?;
    Ok(codes)
}

/// Units as a message lists them.
pub(super) fn list<'a>(units: impl IntoIterator<Item = &'a Unit>) -> String {
    let mut shown: Vec<String> = units.into_iter().map(Unit::shown).collect();
    if shown.len() > LISTED_MAX {
        shown.truncate(LISTED_MAX);
        shown.push("…".to_owned());
    }
    if shown.is_empty() { "-".to_owned() } else { shown.join("、") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn street() -> Units {
        let names = [
            ("330881121003", "中心社区"),
            ("330881121006", "淤头社区"),
            ("330881121200", "溪淤村委会"),
            ("330881121217", "吴村村委会"),
            ("330881121246", "市上村村民委员会"),
            ("330881121250", "淤头村民委员会"),
        ];
        let all = names
            .iter()
            .map(|(code, name)| Unit { scope: Scope::Grid((*code).to_owned()), name: (*name).to_owned() })
            .collect();
        Units::of(all, BTreeSet::from([Scope::Grid("330881121200".to_owned())]), "贺村镇")
    }

    #[track_caller]
    fn check(typed: &str, expect: &[&str]) {
        let units = street();
        let codes: Vec<&str> = match units.meant(typed) {
            Meant::One(unit) => vec![unit.scope.code()],
            Meant::Several(units) => units.iter().map(|unit| unit.scope.code()).collect(),
            Meant::Unknown => Vec::new(),
        };
        assert_eq!(codes, expect, "{typed:?}");
    }

    #[test]
    fn a_village_is_found_however_its_name_is_written() {
        for typed in [
            "溪淤村委会",
            "溪淤村民委员会",
            "溪淤村",
            "溪 淤",
            "溪淤村村委会",
            "330881121200",
            "贺村镇溪淤村",
        ] {
            check(typed, &["330881121200"]);
        }
        for typed in ["中心社区", "中心社区居委会", "中心社区居民委员会", "中心居委会", "贺村镇中心社区"]
        {
            check(typed, &["330881121003"]);
        }
        for typed in ["市上村村民委员会", "市上村", "市上村委会", "市上村民委员会"] {
            check(typed, &["330881121246"]);
        }
        check("吴村", &["330881121217"]);
        check("吴村村", &["330881121217"]);
    }

    #[test]
    fn a_village_and_a_community_of_one_name_are_not_confused() {
        check("淤头社区", &["330881121006"]);
        check("淤头村", &["330881121250"]);
        check("淤头", &["330881121006", "330881121250"]);
    }

    #[test]
    fn an_unknown_name_means_nothing() {
        for typed in ["火星村", "", "村", "社区", "3308811212", "溪"] {
            check(typed, &[]);
        }
    }
}
