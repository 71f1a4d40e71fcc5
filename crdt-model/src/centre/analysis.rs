//! Analysis of cases (分析研判, art. 10): by line, place, time, and what comes again.

use std::collections::BTreeMap;

use super::CaseFact;
use crate::deadline::Standing;
use crate::identity::DocId;
use crate::work::day;

/// How cases are grouped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// By line of business.
    Line,
    /// By place, else by grid.
    Place,
    /// By day.
    Time,
    /// The same line at the same place or of the same person, more than once.
    Repeat,
}

/// A group of cases.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Group {
    /// What they have in common: a line, a place's id or a unit, a day.
    pub key: String,
    /// The line, where the key is a place or a person.
    pub category: String,
    /// How many.
    pub count: u64,
    /// How many are open.
    pub open: u64,
    /// How many are overdue.
    pub overdue: u64,
    /// The cases, in the order in which they were reported.
    pub cases: Vec<DocId>,
}

/// Groups cases: the largest groups first, days in their order.
pub fn group(cases: &[CaseFact], by: By, now_ms: u64) -> Vec<Group> {
    let mut groups: BTreeMap<(String, String), Vec<&CaseFact>> = BTreeMap::new();
    for fact in cases {
        let place = || if fact.place.is_empty() { fact.scope.to_string() } else { fact.place.clone() };
        let keys = match by {
            By::Line => vec![(fact.category.clone(), String::new())],
            By::Place => vec![(place(), String::new())],
            By::Time => {
                vec![(day::of(fact.reported_ms).map_or_else(String::new, |d| d.to_string()), String::new())]
            }
            By::Repeat => [&fact.place, &fact.person]
                .into_iter()
                .filter(|who| !who.is_empty())
                .map(|who| (who.clone(), fact.category.clone()))
                .collect(),
        };
        for key in keys {
            groups.entry(key).or_default().push(fact);
        }
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .filter(|(_, cases)| by != By::Repeat || cases.len() > 1)
        .map(|((key, category), mut cases)| {
            cases.sort_by_key(|fact| (fact.reported_ms, fact.id));
            let overdue = |fact: &&&CaseFact| {
                fact.timers.iter().any(|timer| timer.standing(now_ms) == Standing::Overdue)
            };
            Group {
                key,
                category,
                count: cases.len() as u64,
                open: cases.iter().filter(|fact| fact.case.state.is_open()).count() as u64,
                overdue: cases.iter().filter(overdue).count() as u64,
                cases: cases.iter().map(|fact| fact.id).collect(),
            }
        })
        .collect();
    if by != By::Time {
        groups.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| (&a.key, &a.category).cmp(&(&b.key, &b.category)))
        });
    }
    groups
}
