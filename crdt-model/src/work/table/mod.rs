//! The records, as data.

mod centre;
mod orders;
mod rounds;
mod trouble;

use super::spec::RecordSpec;
use crate::schema::Kind;

/// Every kind of record with a history.
pub fn records() -> impl Iterator<Item = &'static RecordSpec> {
    let families = [rounds::RECORDS, trouble::RECORDS, orders::RECORDS, centre::RECORDS];
    families.into_iter().flatten()
}

/// The records of a kind.
pub fn of_kind(kind: Kind) -> Option<&'static RecordSpec> {
    records().find(|spec| spec.kind == kind)
}

/// The records that a word on the command line means.
pub fn of_word(word: &str) -> Option<&'static RecordSpec> {
    records().find(|spec| spec.word == word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::codes;
    use super::super::spec::{Rule, To};
    use super::*;

    /// What the table names, the schema knows; each state can be reached, and every code table is there.
    #[test]
    fn the_table_agrees_with_the_schema() {
        let shipped = crate::codes::Codes::shipped();
        let mut words = BTreeSet::new();
        for spec in records() {
            let word = spec.word;
            assert!(words.insert(word), "{word} twice");
            let schema = spec.schema().expect(word);
            assert!(spec.event(spec.opens).is_some(), "{word} {}", spec.opens);
            assert_eq!(
                spec.roles(spec.opens),
                schema.access.writers,
                "{word}: who opens it writes its fields"
            );
            for input in spec.inputs {
                let field = schema.field(input.name).unwrap_or_else(|| panic!("{word} {}", input.name));
                assert!(!field.label.is_empty());
            }
            for name in spec.headline {
                assert!(schema.field(name).is_some(), "{word} {name}");
            }
            let mut reached = BTreeSet::from([spec.states[0].name]);
            for verb in spec.verbs {
                assert!(spec.event(verb.name).is_some(), "{word} {}", verb.name);
                let leads: Vec<&str> = match verb.to {
                    To::Same => Vec::new(),
                    To::State(state) => vec![state],
                    To::Outcome(outcomes) => outcomes.iter().map(|outcome| outcome.state).collect(),
                };
                for state in verb.from.iter().chain(&leads) {
                    assert!(spec.state(state).is_some(), "{word} {} {state}", verb.name);
                }
                reached.extend(leads);
            }
            assert_eq!(reached.len(), spec.states.len(), "{word}: a state that nothing leads to");
            let inputs = spec.inputs.iter().chain(spec.verbs.iter().flat_map(|verb| verb.inputs));
            for input in inputs {
                if let Rule::Code(table) = input.rule {
                    assert!(!codes::entries(&shipped, table).is_empty(), "{word} {table}");
                }
            }
        }
    }
}
