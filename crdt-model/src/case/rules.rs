//! The rules that cases fold under: lines of business, minor classes, deadlines and what decides between
//! concurrent events. Versioned data that the centre edits; a case keeps the version that its report names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::deadline::{ALLOWANCE_MAX, Allowance, Calendar, CalendarError, Hours};

/// The rules that this version ships.
const SHIPPED: &str = include_str!("../../data/case-rules.json");

/// The name of the shipped rules in a report.
pub const SHIPPED_NAME: &str = "1";

/// The line whose reports go past the grid if the rules do not say otherwise.
const DISCIPLINE: &str = "discipline";
/// What its name holds, where the centre gave it another code.
const DISCIPLINE_ZH: &str = "纪检";

/// Most entries of one list.
const ENTRIES_MAX: usize = 200;

/// Most days back that rules can allow: a hundred years, as old as a living person's papers.
const BACK_DAYS_MAX: u32 = 36_525;

/// Days back for rules that were written before there was such a limit.
fn back_days_max() -> u32 {
    Rules::shipped().back_days_max
}

/// A line of business (art. 7, 9, 19).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// The code, in events and fields.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// The articles that name it.
    #[serde(default)]
    pub articles: Vec<u8>,
    /// Other names that are understood.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its minor classes (轻微类), which may be closed on the spot; none if nothing of it is minor.
    #[serde(default)]
    pub minor: Vec<String>,
    /// Whether reports of it go past the grid: the centre alone takes them in and keeps them (组织纪检). Where
    /// that is not said, as in rules of older programs, [`Category::bypasses_grid`] tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypasses_grid: Option<bool>,
}

impl Category {
    /// Whether reports of it go past the grid. Where the rules do not say, those of discipline do.
    pub fn bypasses_grid(&self) -> bool {
        let names = || self.aliases.iter().chain([&self.name]);
        self.bypasses_grid
            .unwrap_or_else(|| self.code == DISCIPLINE || names().any(|name| name.contains(DISCIPLINE_ZH)))
    }
}

/// The time allowed for cases of a line and a level.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// The line's code, or `*` for those without a row of their own.
    pub category: String,
    /// 1 to 4.
    pub level: u8,
    /// 受理: from report to registration or refusal.
    pub accept: Allowance,
    /// 派遣: from registration to dispatch.
    pub dispatch: Allowance,
    /// 处置: from dispatch to feedback.
    pub handle: Allowance,
    /// 核查: from feedback to the check.
    pub check: Allowance,
    /// 结案: from report to the check passed.
    pub total: Allowance,
}

/// How far the time can be extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Days if a request names none.
    pub days: u32,
    /// Most days of one extension.
    pub days_max: u32,
}

/// Which of two concurrent events that exclude each other counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merging {
    /// The two, as [`super::Told::rule_word`] names them.
    pub events: [String; 2],
    /// The one of them that counts.
    pub wins: String,
}

/// One version of the rules.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What it is, and what changed.
    #[serde(default)]
    pub note: String,
    /// Lines of business.
    pub categories: Vec<Category>,
    /// Levels on which a case can be minor.
    pub minor_levels: Vec<u8>,
    /// Working hours.
    pub hours: Hours,
    /// How much of the time is left when a timer counts as nearing its end, in percent.
    pub nearing_percent: u32,
    /// How far the time can be extended.
    pub extension: Extension,
    /// How many days back something may be said to have happened: what was on paper before the street was
    /// founded is entered later, a mistyped year is not.
    #[serde(default = "back_days_max")]
    pub back_days_max: u32,
    /// Deadlines.
    pub deadlines: Vec<Deadline>,
    /// Concurrent events.
    pub merging: Vec<Merging>,
}

/// Rules that cannot be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum RulesError {
    #[error("{list}: {found} entries; 1 to {max} are allowed")]
    Entries { list: &'static str, found: usize, max: usize },
    #[error("categories: {code:?} is named twice or empty")]
    Category { code: String },
    #[error("deadlines: {category:?} is no category")]
    UnknownCategory { category: String },
    #[error("deadlines: level {level} is not 1 to 4")]
    Level { level: u8 },
    #[error("deadlines: {n} {what} of {category} level {level}; 1 to {max} are allowed")]
    Allowance { n: u32, what: &'static str, category: String, level: u8, max: u32 },
    #[error("deadlines: there is no row for category \"*\" and level {level}")]
    NoDefault { level: u8 },
    #[error("merging: {word:?} is no event")]
    Word { word: String },
    #[error("merging: {wins:?} is neither of the two events")]
    Winner { wins: String },
    #[error("extension: {days} days of at most {days_max}; 1 to {max} are allowed")]
    Extension { days: u32, days_max: u32, max: u32 },
    #[error("back_days_max: {found} days; 1 to {max} are allowed")]
    BackDays { found: u32, max: u32 },
    #[error("nearing_percent: {found} is not 0 to 100")]
    Nearing { found: u32 },
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

impl RulesError {
    /// The member of the rules that it is about.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Entries { list, .. } => list,
            Self::Category { .. } => "categories",
            Self::UnknownCategory { .. }
            | Self::Level { .. }
            | Self::Allowance { .. }
            | Self::NoDefault { .. } => "deadlines",
            Self::Word { .. } | Self::Winner { .. } => "merging",
            Self::Extension { .. } => "extension",
            Self::BackDays { .. } => "back_days_max",
            Self::Nearing { .. } => "nearing_percent",
            Self::Calendar(_) => "calendar",
        }
    }
}

impl Rules {
    /// The rules that this version ships.
    pub fn shipped() -> Self {
        // A test reads the shipped file; without it nothing could be reported, which a person would see.
        serde_json::from_str(SHIPPED).unwrap_or_else(|_| Self {
            note: String::new(),
            categories: Vec::new(),
            minor_levels: Vec::new(),
            hours: Hours::whole_day(),
            nearing_percent: 0,
            extension: Extension { days: 1, days_max: 1 },
            back_days_max: BACK_DAYS_MAX,
            deadlines: Vec::new(),
            merging: Vec::new(),
        })
    }

    /// Checks what the form of the data cannot.
    ///
    /// # Errors
    /// The first [`RulesError`].
    pub fn check(&self) -> Result<(), RulesError> {
        for (list, found) in [
            ("categories", self.categories.len()),
            ("deadlines", self.deadlines.len()),
            ("merging", self.merging.len()),
        ] {
            if found == 0 || found > ENTRIES_MAX {
                return Err(RulesError::Entries { list, found, max: ENTRIES_MAX });
            }
        }
        for (at, category) in self.categories.iter().enumerate() {
            let twice = self.categories[..at].iter().any(|other| other.code == category.code);
            if twice || category.code.is_empty() || category.name.is_empty() || category.code == "*" {
                return Err(RulesError::Category { code: category.code.clone() });
            }
        }
        for row in &self.deadlines {
            let (category, level) = (row.category.clone(), row.level);
            if category != "*" && self.category(&category).is_none() {
                return Err(RulesError::UnknownCategory { category });
            }
            if !(1..=4).contains(&level) {
                return Err(RulesError::Level { level });
            }
            for (what, allowance) in row.allowances() {
                if allowance.n == 0 || allowance.n > ALLOWANCE_MAX {
                    return Err(RulesError::Allowance {
                        n: allowance.n,
                        what,
                        category,
                        level,
                        max: ALLOWANCE_MAX,
                    });
                }
            }
        }
        for level in 1..=4 {
            if !self.deadlines.iter().any(|row| row.category == "*" && row.level == level) {
                return Err(RulesError::NoDefault { level });
            }
        }
        for rule in &self.merging {
            for word in &rule.events {
                let known = matches!(word.as_str(), "check-pass" | "check-fail")
                    || super::EventKind::named(word).is_some();
                if !known {
                    return Err(RulesError::Word { word: word.clone() });
                }
            }
            if !rule.events.contains(&rule.wins) {
                return Err(RulesError::Winner { wins: rule.wins.clone() });
            }
        }
        let Extension { days, days_max } = self.extension;
        if days == 0 || days > days_max || days_max > ALLOWANCE_MAX {
            return Err(RulesError::Extension { days, days_max, max: ALLOWANCE_MAX });
        }
        if !(1..=BACK_DAYS_MAX).contains(&self.back_days_max) {
            return Err(RulesError::BackDays { found: self.back_days_max, max: BACK_DAYS_MAX });
        }
        if self.nearing_percent > 100 {
            return Err(RulesError::Nearing { found: self.nearing_percent });
        }
        Ok(())
    }

    /// The line that a code, a name or another name means.
    pub fn category(&self, typed: &str) -> Option<&Category> {
        self.categories
            .iter()
            .find(|line| line.code == typed || line.name == typed)
            .or_else(|| self.categories.iter().find(|line| line.aliases.iter().any(|alias| alias == typed)))
    }

    /// The name of a line, the code itself if these rules do not know it.
    pub fn category_name<'a>(&'a self, code: &'a str) -> &'a str {
        self.categories.iter().find(|line| line.code == code).map_or(code, |line| line.name.as_str())
    }

    /// Whether reports of that line go past the grid.
    pub fn bypasses_grid(&self, category: &str) -> bool {
        self.categories.iter().any(|line| line.code == category && line.bypasses_grid())
    }

    /// Whether cases of that line and level can be minor.
    pub fn can_be_minor(&self, category: &str, level: u8) -> bool {
        let line = self.categories.iter().find(|line| line.code == category);
        line.is_some_and(|line| !line.minor.is_empty()) && self.minor_levels.contains(&level)
    }

    /// The time allowed for cases of that line and level.
    pub fn deadline(&self, category: &str, level: u8) -> Option<&Deadline> {
        let row =
            |wanted: &str| self.deadlines.iter().find(|row| row.category == wanted && row.level == level);
        row(category).or_else(|| row("*"))
    }

    /// Which of two words counts, `None` if no rule decides.
    pub fn winner(&self, a: &str, b: &str) -> Option<&str> {
        let decides = |rule: &&Merging| {
            (rule.events[0] == a && rule.events[1] == b) || (rule.events[0] == b && rule.events[1] == a)
        };
        self.merging.iter().find(decides).map(|rule| rule.wins.as_str())
    }
}

impl Deadline {
    /// The five allowances with their names.
    pub fn allowances(&self) -> [(&'static str, Allowance); 5] {
        [
            ("accept", self.accept),
            ("dispatch", self.dispatch),
            ("handle", self.handle),
            ("check", self.check),
            ("total", self.total),
        ]
    }
}

/// All versions of the rules that are known here, and the calendar, which is a fact rather than a rule:
/// the newest counts for every case.
#[derive(Clone, Debug)]
pub struct Rulebook {
    versions: BTreeMap<String, (u64, Rules)>,
    latest: String,
    calendar: Calendar,
}

impl Rulebook {
    /// The rules and the calendar that this version ships.
    pub fn shipped() -> Self {
        let versions = BTreeMap::from([(SHIPPED_NAME.to_owned(), (1, Rules::shipped()))]);
        Self { versions, latest: SHIPPED_NAME.to_owned(), calendar: Calendar::shipped() }
    }

    /// Adds a version: `name` is what reports call it, `number` counts versions. The greatest number is the
    /// latest; of equal ones the greatest name.
    pub fn add(&mut self, name: &str, number: u64, rules: Rules, calendar: Calendar) {
        let latest = (self.number(), self.latest.as_str());
        if (number, name) > latest {
            self.latest = name.to_owned();
            self.calendar = calendar;
        }
        self.versions.insert(name.to_owned(), (number, rules));
    }

    /// The version of that name.
    pub fn get(&self, name: &str) -> Option<&Rules> {
        self.versions.get(name).map(|(_, rules)| rules)
    }

    /// The name of the latest version.
    pub fn latest_name(&self) -> &str {
        &self.latest
    }

    /// The number of the latest version.
    pub fn number(&self) -> u64 {
        self.versions.get(&self.latest).map_or(0, |(number, _)| *number)
    }

    /// The latest version.
    pub fn latest(&self) -> &Rules {
        self.get(&self.latest).unwrap_or_else(|| self.first())
    }

    /// The version that a report names; the shipped one where it is not known here (yet).
    pub fn named(&self, name: Option<&str>) -> &Rules {
        name.and_then(|name| self.get(name)).unwrap_or_else(|| self.first())
    }

    fn first(&self) -> &Rules {
        static FALLBACK: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
        self.get(SHIPPED_NAME).unwrap_or_else(|| FALLBACK.get_or_init(Rules::shipped))
    }

    /// The calendar.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_are_sound_and_name_every_line_of_the_regulation() {
        let rules: Rules = serde_json::from_str(SHIPPED).expect("reads");
        rules.check().expect("sound");
        let lines =
            |article: u8| rules.categories.iter().filter(|line| line.articles.contains(&article)).count();
        assert_eq!((lines(7), lines(9), lines(19)), (11, 11, 11));
        for typed in ["work-safety", "安全生产", "消防安全", "违建", "纪检"] {
            assert!(rules.category(typed).is_some(), "{typed}");
        }
        assert!(rules.category("外星事务").is_none());
        assert!(!rules.can_be_minor("discipline", 4) && rules.can_be_minor("civic", 4));
        assert!(!rules.can_be_minor("civic", 1));
        assert_eq!(rules.winner("check-pass", "check-fail"), Some("check-fail"));
        assert_eq!(rules.winner("check-fail", "check-pass"), Some("check-fail"));
        assert_eq!(rules.winner("urge", "check-pass"), None);
    }

    /// Rules that an older program wrote say of no line whether it goes past the grid.
    #[test]
    fn discipline_goes_past_the_grid_unless_the_rules_say_otherwise() {
        let shipped: serde_json::Value = serde_json::from_str(SHIPPED).expect("reads");
        let read = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut json = shipped.clone();
            change(&mut json["categories"][0]);
            serde_json::from_value::<Rules>(json).expect("reads")
        };
        let silent = read(&|line| {
            line.as_object_mut().expect("a line").remove("bypasses_grid");
        });
        assert!(silent.bypasses_grid("discipline") && !silent.bypasses_grid("civic"));
        let renamed = read(&|line| {
            line.as_object_mut().expect("a line").remove("bypasses_grid");
            line["code"] = "jijian".into();
        });
        assert!(renamed.bypasses_grid("jijian"));
        let told = read(&|line| line["bypasses_grid"] = false.into());
        assert!(!told.bypasses_grid("discipline"));
        let again = serde_json::to_value(&told).expect("writes");
        assert_eq!(again["categories"][0]["bypasses_grid"], false);
    }

    #[test]
    fn rules_that_cannot_be_right_are_refused_by_name() {
        let check = |change: &dyn Fn(&mut Rules)| {
            let mut rules = Rules::shipped();
            change(&mut rules);
            rules.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(&|_| ()), Ok(()));
        for (change, expect) in [
            (&(|rules: &mut Rules| rules.categories.clear()) as &dyn Fn(&mut Rules), "categories"),
            (&|rules| rules.deadlines[0].level = 9, "level 9"),
            (&|rules| rules.deadlines[0].handle.n = 0, "handle"),
            (&|rules| rules.deadlines.retain(|row| row.level != 3), "level 3"),
            (&|rules| rules.merging[0].wins = "dispatch".into(), "neither"),
            (&|rules| rules.merging[0].events[0] = "withdraw".into(), "no event"),
            (&|rules| rules.extension.days = 99, "99 days"),
            (&|rules| rules.deadlines[4].category = "moon".into(), "moon"),
        ] {
            let error = check(change).expect_err(expect);
            assert!(error.contains(expect), "{error}");
        }
    }

    #[test]
    fn the_latest_version_is_used_for_new_cases_and_old_ones_keep_theirs() {
        let mut book = Rulebook::shipped();
        let mut second = Rules::shipped();
        second.nearing_percent = 50;
        book.add("b", 2, second.clone(), Calendar::shipped());
        second.nearing_percent = 60;
        book.add("a", 2, second, Calendar::shipped());
        assert_eq!((book.latest_name(), book.latest().nearing_percent), ("b", 50));
        assert_eq!(book.named(Some("a")).nearing_percent, 60);
        assert_eq!(book.named(None).nearing_percent, 20);
    }
}
