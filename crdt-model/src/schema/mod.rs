//! The kinds of documents, their containers and the fields that this version knows.
//!
//! Containers belong to a kind's genesis and never change. Fields are scalars under a string key of
//! the root, so a newer version may add some: an older one stores, forwards and shows them.

mod audit;
mod case;
mod centre;
mod dictionary;
mod erasure;
mod form;
mod not_collected;
mod organisation;
mod registers;
mod roster;
mod work;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use audit::AUDITORS;
pub use case::CASE_EVENTS;
pub use centre::KEEPERS;
pub use dictionary::DICTIONARY;
pub use form::Form;
pub use not_collected::{NotCollected, not_collected};
pub use registers::{MERGED_INTO, MOVED_FROM, MOVED_TO};
pub use work::{CENTRE, EVERYBODY, LEADERS, TRAINERS};

use crate::document::Scalar;
use crate::identity::{Role, Scope};

/// The kind of a document, as a number that never changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Kind(pub u8);

impl Kind {
    /// 实有人口: a resident (GB/T 31000).
    pub const PERSON: Self = Self(1);
    /// 场所, 单位, 企业.
    pub const PLACE: Self = Self(2);
    /// 事件.
    pub const CASE: Self = Self(3);
    /// A unit: street, area, grid, team, office.
    pub const UNIT: Self = Self(4);
    /// A worker and the posts he holds.
    pub const WORKER: Self = Self(5);
    /// One installation on one device.
    pub const REPLICA: Self = Self(6);
    /// An order to erase a document (清除指令).
    pub const ERASURE: Self = Self(65);
    /// Which replicas have done it.
    pub const ERASURE_REPORT: Self = Self(66);
    /// A photo that a leader or the centre takes away from a record (撤除照片).
    pub const PHOTO_REMOVAL: Self = Self(67);
    /// A photo that whoever added it takes back (撤回照片).
    pub const PHOTO_WITHDRAWAL: Self = Self(68);
    /// 交办单: what a team is to do about a case.
    pub const ORDER: Self = Self(80);
    /// A version of the rules that cases fold under.
    pub const CASE_RULES: Self = Self(81);
    /// The key to which reports and audit entries are sealed (密封密钥).
    pub const SEAL_KEY: Self = Self(70);
    /// Part of the copy of the relay's audit that its administrators hold.
    pub const AUDIT_COPY: Self = Self(71);
    /// What the centre has laid down for the roster: grace, leases, limits.
    pub const POLICY: Self = Self(60);

    /// Whether documents of this kind belong to `scope`. The roster stands in `street`, the registers of
    /// people and places in the grids.
    pub fn lives_in(self, scope: &Scope) -> bool {
        match self {
            // The audit alone, and nothing else there.
            _ if *scope == Scope::Audit => self == Self::AUDIT_COPY,
            Self::AUDIT_COPY => false,
            Self::UNIT | Self::WORKER | Self::REPLICA | Self::POLICY => *scope == Scope::Street,
            Self::PERSON
            | Self::PLACE
            | Self::HOUSEHOLD
            | Self::DWELLING
            | Self::RESIDENCY
            | Self::HOUSE
            | Self::TENANCY
            | Self::ENTERPRISE
            | Self::MOVE => matches!(scope, Scope::Grid(_)),
            Self::CODES
            | Self::BOUNDARY
            | Self::OFFICE
            | Self::TEAM
            | Self::WINDOW
            | Self::WORK_POINT
            | Self::DEVICE
            | Self::REFERENCE
            | Self::FORCE
            | Self::SPLIT => *scope == Scope::Street,
            Self::CASE => *scope != Scope::Street,
            Self::ORDER => matches!(scope, Scope::Team(_)),
            Self::CASE_RULES => *scope == Scope::Street,
            _ => true,
        }
    }

    /// What this version knows of the kind; `None` if a newer version wrote it.
    pub fn spec(self) -> Option<&'static KindSpec> {
        kinds().find(|spec| spec.kind == self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spec() {
            Some(spec) => f.write_str(spec.name),
            None => write!(f, "kind {} of a newer version", self.0),
        }
    }
}

/// What a container holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Keys chosen by the writer, each a register.
    Set,
    /// Keys derived from the log and position, each written once.
    History,
}

/// A map of scalars that a kind's genesis makes.
#[derive(Debug)]
pub struct ContainerSpec {
    /// Its key in the root.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
}

/// A scalar register in the root.
#[derive(Debug)]
pub struct FieldSpec {
    /// Its key, on the command line too.
    pub name: &'static str,
    /// The label people see.
    pub label: &'static str,
    /// What values it takes.
    pub form: Form,
    /// Who may write it beside those who may write the whole document.
    pub grant: Option<Grant>,
}

/// Who may write one field of a document, perhaps only one value into it, and nothing else there.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// Roles that may, whoever may write the document among them.
    pub roles: &'static [Role],
    /// The only text that may be written; `None`: anything.
    pub value: Option<&'static str>,
}

impl Grant {
    /// Whether it is about writing this. A deletion never is.
    fn covers(&self, value: Option<&Scalar>) -> bool {
        value.is_some_and(|value| self.value.is_none_or(|only| value.as_str() == Some(only)))
    }
}

/// What this version knows of a kind.
#[derive(Debug)]
pub struct KindSpec {
    /// The number.
    pub kind: Kind,
    /// The English name.
    pub name: &'static str,
    /// Containers in the order in which the genesis makes them; never changed once released.
    pub containers: &'static [ContainerSpec],
    /// Containers that later versions added, an extension change each; append only.
    pub extensions: &'static [&'static [ContainerSpec]],
    /// Known fields, in the order in which they are shown.
    pub fields: &'static [FieldSpec],
    /// The field whose value names the document within its scope: an ID number, a credit code.
    pub natural_key: Option<&'static str>,
    /// Who may write such documents.
    pub access: Access,
}

/// Who may write documents of a kind. The one table: commands ask it before they write, admission when
/// they judge. A role counts where its post reaches the document's scope.
#[derive(Debug)]
pub struct Access {
    /// Roles that may make such a document and write its fields and set entries.
    pub writers: &'static [Role],
    /// Events of its histories with the roles that may write each. The state in which an event counts is
    /// a matter of the fold, not of admission.
    pub events: &'static [EventSpec],
}

/// An event of a history, by the `kind` in its JSON.
#[derive(Debug)]
pub struct EventSpec {
    /// The word in the event and on the command line.
    pub name: &'static str,
    /// The word people see.
    pub label: &'static str,
    /// Who may write it.
    pub roles: &'static [Role],
}

/// Who keeps the registers of a grid.
pub const REGISTRARS: &[Role] = &[
    Role::GridWorker,
    Role::GridLeader,
    Role::AreaClerk,
    Role::AreaHead,
    Role::WindowClerk,
    Role::CentreClerk,
    Role::CentreAdmin,
];

/// Who reports cases (art. 9, 10, 22).
pub const REPORTERS: &[Role] = &[
    Role::GridWorker,
    Role::GridLeader,
    Role::AreaClerk,
    Role::AreaHead,
    Role::WindowClerk,
    Role::CentreClerk,
    Role::CentreAdmin,
    Role::StreetLeader,
];

/// Who hands ledgers with numbers in full to the county (汇总上报, art. 8). Everybody else's exports are masked.
pub const UPWARD: &[Role] = &[Role::CentreClerk, Role::CentreAdmin];

/// Who keeps the roster.
pub const ADMINS: &[Role] = &[Role::CentreAdmin];

/// Who cuts devices off.
pub const REVOKERS: &[Role] = &[Role::CentreAdmin, Role::SecurityAdmin];

impl Access {
    /// Who may write the event of that name, `None` if this version does not know it.
    pub fn event(&self, name: &str) -> Option<&'static EventSpec> {
        self.events.iter().find(|event| event.name == name)
    }
}

impl KindSpec {
    /// The container of that name, with its place among all of them and the extension that makes it (0 for
    /// the genesis).
    pub fn container(&self, name: &str) -> Option<(usize, u8, &'static ContainerSpec)> {
        let mut placed = self.leveled().enumerate().map(|(at, (level, container))| (at, level, container));
        placed.find(|(_, _, container)| container.name == name)
    }

    /// The containers that the genesis and the extensions up to `level` make.
    pub fn containers_up_to(&self, level: u8) -> impl Iterator<Item = &'static ContainerSpec> {
        self.leveled().filter(move |(made_by, _)| *made_by <= level).map(|(_, container)| container)
    }

    fn leveled(&self) -> impl Iterator<Item = (u8, &'static ContainerSpec)> {
        let levels = std::iter::once(&self.containers).chain(self.extensions);
        levels.zip(0u8..).flat_map(|(containers, level)| containers.iter().map(move |c| (level, c)))
    }

    /// Who may write this value into the field, or delete it if there is none.
    pub fn writers_of(&self, field: &str, value: Option<&Scalar>) -> &'static [Role] {
        let known = self.fields.iter().find(|known| known.name == field);
        let grant = known.and_then(|field| field.grant).filter(|grant| grant.covers(value));
        grant.map_or(self.access.writers, |grant| grant.roles)
    }

    /// The field of that name or of that Chinese label.
    pub fn field(&self, name: &str) -> Option<&'static FieldSpec> {
        self.fields.iter().find(|field| field.name == name || field.label == name)
    }
}

/// Key of the document's own id in every root; made by the genesis.
pub const ID_KEY: &str = "id";

/// Set when the document no longer stands for its natural key: the next registration of that number
/// takes the next generation.
pub const CLOSED: &str = "closed";

/// The generation of the natural key from which a document's id was derived, absent for the first.
pub const GENERATION: &str = "generation";

const fn set(name: &'static str) -> ContainerSpec {
    ContainerSpec { name, shape: Shape::Set }
}

const fn history(name: &'static str) -> ContainerSpec {
    ContainerSpec { name, shape: Shape::History }
}

const fn field(name: &'static str, label: &'static str) -> FieldSpec {
    formed(name, label, Form::Text)
}

const fn formed(name: &'static str, label: &'static str, form: Form) -> FieldSpec {
    FieldSpec { name, label, form, grant: None }
}

const fn granted(
    name: &'static str,
    label: &'static str,
    roles: &'static [Role],
    value: Option<&'static str>,
) -> FieldSpec {
    FieldSpec { name, label, form: Form::Text, grant: Some(Grant { roles, value }) }
}

const fn event(name: &'static str, label: &'static str, roles: &'static [Role]) -> EventSpec {
    EventSpec { name, label, roles }
}

/// Every kind that this version knows.
pub fn kinds() -> impl Iterator<Item = &'static KindSpec> {
    let families = [
        registers::KINDS,
        case::KINDS,
        roster::KINDS,
        work::KINDS,
        centre::KINDS,
        organisation::KINDS,
        erasure::KINDS,
        audit::KINDS,
    ];
    let all = families.into_iter().flatten();
    #[cfg(test)]
    let all = all.chain(EXTENDED);
    all
}

#[cfg(test)]
const EXTENDED: &[KindSpec] = &[KindSpec {
    kind: Kind(250),
    name: "extended",
    containers: &[set("links")],
    extensions: &[&[history("events")], &[set("extra"), set("members")]],
    fields: &[field("name", "名称")],
    natural_key: None,
    access: Access { writers: REGISTRARS, events: &[] },
}];

#[cfg(test)]
mod tests {
    use super::*;

    /// The administrators of security and audit write nothing, but that the former cuts devices off.
    #[test]
    fn administrators_of_security_and_audit_write_no_records() {
        let new = [Role::SecurityAdmin, Role::AuditAdmin];
        let may = |roles: &[Role]| new.into_iter().filter(|role| roles.contains(role)).collect::<Vec<_>>();
        for spec in kinds() {
            assert_eq!(may(spec.access.writers), [], "{}", spec.name);
            for event in spec.access.events {
                assert_eq!(may(event.roles), [], "{} {}", spec.name, event.name);
            }
            for field in spec.fields {
                for value in [None, Some("active"), Some("revoked")] {
                    let roles = spec.writers_of(field.name, value.map(Scalar::from).as_ref());
                    let cuts = spec.kind == Kind::REPLICA
                        && (field.name == "status" && value == Some("revoked")
                            || field.name == "reason" && value.is_some());
                    let expected = if cuts { vec![Role::SecurityAdmin] } else { Vec::new() };
                    assert_eq!(may(roles), expected, "{} {} {value:?}", spec.name, field.name);
                    assert!(spec.access.writers.iter().all(|role| roles.contains(role)));
                }
            }
        }
    }

    /// What the relay copies of its audit stands apart from all else.
    #[test]
    fn nothing_but_copies_of_the_audit_lives_in_its_scope() {
        for kind in (0..=u8::MAX).map(Kind) {
            assert_eq!(kind.lives_in(&Scope::Audit), kind == Kind::AUDIT_COPY, "{kind}");
        }
        for scope in [Scope::Street, Scope::Centre, Scope::Grid("1".to_owned())] {
            assert!(!Kind::AUDIT_COPY.lives_in(&scope), "{scope}");
        }
    }

    #[test]
    fn names_are_unique_within_a_kind_and_in_the_dictionary() {
        for spec in kinds() {
            let mut keys: Vec<&str> = spec.fields.iter().map(|f| f.name).collect();
            keys.extend(
                spec.containers.iter().chain(spec.extensions.iter().copied().flatten()).map(|c| c.name),
            );
            keys.push(ID_KEY);
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), count, "{} repeats a key", spec.name);
            for key in keys.iter().filter(|key| **key != ID_KEY) {
                assert!(DICTIONARY.contains(key), "{key} of {} would travel as text", spec.name);
            }
        }
        let mut words = DICTIONARY.to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), DICTIONARY.len());
    }
}
