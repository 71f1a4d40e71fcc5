//! Who and where: replicas, epochs, logs, documents, scopes, roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use data_encoding::HEXLOWER;

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl $name {
            /// Reads the identifier back from bytes of exactly its length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Some(Self(bytes.try_into().ok()?))
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                HEXLOWER
                    .decode(s.as_bytes())
                    .ok()
                    .and_then(|bytes| Self::from_slice(&bytes))
                    .ok_or_else(|| IdentityError::Hex { len_bytes: $len, found: s.to_owned() })
            }
        }
    };
}

bytes_id!(
    /// One installation on one device: its Ed25519 public key (RFC 8032), made at install.
    ReplicaId,
    32
);
bytes_id!(
    /// One log: the transactions of one replica in one epoch within one scope, or a branch of such a
    /// log that a fork left. Derived by [`LogId::derive`] or [`LogId::of_branch`].
    LogId,
    8
);
bytes_id!(
    /// One Automerge document: a person, a place, a case, a unit …
    DocId,
    16
);
bytes_id!(
    /// A BLAKE3 hash.
    Hash,
    32
);

impl Hash {
    /// The first eight bytes, enough to notice a difference but not to prove equality to an attacker.
    pub fn tag(&self) -> [u8; 8] {
        let mut tag = [0; 8];
        tag.copy_from_slice(&self.0[..8]);
        tag
    }
}

/// A random number drawn when a replica is installed, restored, or finds its state rolled back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl LogId {
    /// The log of `replica` in `epoch` within `scope`.
    pub fn derive(scope: &Scope, replica: &ReplicaId, epoch: Epoch) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("wangge 2026 log id");
        hasher.update(&replica.0);
        hasher.update(&epoch.0.to_le_bytes());
        hasher.update(scope.to_string().as_bytes());
        Self::first_bytes(&hasher.finalize())
    }

    /// The name under which a branch is held whose first transaction leads to the head `first`.
    pub fn of_branch(first: &Hash) -> Self {
        Self::first_bytes(
            &blake3::Hasher::new_derive_key("wangge 2026 branch id").update(&first.0).finalize(),
        )
    }

    fn first_bytes(hash: &blake3::Hash) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        Self(id)
    }
}

/// The set of documents that is replicated and authorised together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// 街道: everyone reads, the centre writes.
    Street,
    /// 社管中心: the centre's own.
    Centre,
    /// 片区.
    Area(String),
    /// 网格, by its 12-digit division code; a sub-grid is a scope too.
    Grid(String),
    /// 团队.
    Team(String),
    /// 审计: what the relay has copied of its audit for the audit administrators; the relay alone writes.
    Audit,
}

/// Longest code of a unit, in bytes.
pub const CODE_LEN_BYTES_MAX: usize = 48;

impl Scope {
    /// The code of the unit, empty for `street`, `centre` and `audit`.
    pub fn code(&self) -> &str {
        match self {
            Self::Street | Self::Centre | Self::Audit => "",
            Self::Area(code) | Self::Grid(code) | Self::Team(code) => code,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Street => f.write_str("street"),
            Self::Centre => f.write_str("centre"),
            Self::Area(code) => write!(f, "area:{code}"),
            Self::Grid(code) => write!(f, "grid:{code}"),
            Self::Team(code) => write!(f, "team:{code}"),
            Self::Audit => f.write_str("audit"),
        }
    }
}

impl FromStr for Scope {
    type Err = IdentityError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || IdentityError::Scope { found: s.chars().take(80).collect() };
        let (kind, code) = match s {
            "street" => return Ok(Self::Street),
            "centre" => return Ok(Self::Centre),
            "audit" => return Ok(Self::Audit),
            _ => s.split_once(':').ok_or_else(bad)?,
        };
        let sound = !code.is_empty()
            && code.len() <= CODE_LEN_BYTES_MAX
            && code.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        if !sound {
            return Err(bad());
        }
        match kind {
            "area" => Ok(Self::Area(code.to_owned())),
            "grid" => Ok(Self::Grid(code.to_owned())),
            "team" => Ok(Self::Team(code.to_owned())),
            _ => Err(bad()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A post (岗位). One worker may hold several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 网格员 (art. 22).
    GridWorker,
    /// 网格长 (art. 21).
    GridLeader,
    /// 系统信息员 of an area (art. 15).
    AreaClerk,
    /// 工作片主任, 企业片区长 (art. 15).
    AreaHead,
    /// 社管中心工作人员 (art. 8).
    CentreClerk,
    /// 社管中心管理员.
    CentreAdmin,
    /// 团队成员 (art. 12).
    TeamMember,
    /// 团队负责人 (art. 12).
    TeamLead,
    /// 窗口人员 (art. 9, 17).
    WindowClerk,
    /// 街道领导 (art. 3, 12).
    StreetLeader,
    /// 安全管理员: cuts lost devices off. Holds no register.
    SecurityAdmin,
    /// 审计管理员: reads the audit and witnesses it. Holds no register and writes nothing.
    AuditAdmin,
}

impl Role {
    /// All roles with their names on the command line and in Chinese.
    pub const ALL: [(Self, &'static str, &'static str); 12] = [
        (Self::GridWorker, "grid-worker", "网格员"),
        (Self::GridLeader, "grid-leader", "网格长"),
        (Self::AreaClerk, "area-clerk", "片区信息员"),
        (Self::AreaHead, "area-head", "片区长"),
        (Self::CentreClerk, "centre-clerk", "社管中心工作人员"),
        (Self::CentreAdmin, "centre-admin", "社管中心管理员"),
        (Self::TeamMember, "team-member", "团队成员"),
        (Self::TeamLead, "team-lead", "团队负责人"),
        (Self::WindowClerk, "window-clerk", "窗口人员"),
        (Self::StreetLeader, "street-leader", "街道领导"),
        (Self::SecurityAdmin, "security-admin", "安全管理员"),
        (Self::AuditAdmin, "audit-admin", "审计管理员"),
    ];

    /// The name on the command line and in documents.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(role, _, _)| *role == self).map_or("", |(_, name, _)| name)
    }

    /// The administrators of the system, of its security and of its audit (三员): of these a worker holds one at
    /// most. The later ones may do less: of two that he holds at once the later one counts.
    pub const SEPARATED: [Self; 3] = [Self::CentreAdmin, Self::SecurityAdmin, Self::AuditAdmin];

    /// Whether a worker may not hold both.
    pub fn excludes(self, other: Self) -> bool {
        self != other && Self::SEPARATED.contains(&self) && Self::SEPARATED.contains(&other)
    }

    /// Whether this role gives way to `other`, held at the same time.
    pub fn yields_to(self, other: Self) -> bool {
        let rank = |role| Self::SEPARATED.iter().position(|separated| *separated == role);
        self.excludes(other) && rank(self) < rank(other)
    }

    /// Whether this role works at the centre and so holds every scope. The administrators of security and audit
    /// do not.
    pub fn is_centre(self) -> bool {
        matches!(self, Self::CentreClerk | Self::CentreAdmin | Self::StreetLeader)
    }

    /// Whether this role may write in `street` at all; what, the schema says.
    pub fn writes_street(self) -> bool {
        self.is_centre() || self == Self::SecurityAdmin
    }

    /// Whether this role, held at `unit`, serves the whole street and so holds every scope: the centre's
    /// roles, and the windows at the centre, which take in matters of every grid (art. 9).
    pub fn serves_street(self, unit: &Scope) -> bool {
        self.is_centre() || self == Self::WindowClerk && *unit == Scope::Centre
    }

    /// Whether this role can be held at `unit`: a grid role at a grid, an area role at an area, a team
    /// role at a team, a centre role at `centre` or `street`, a window at the centre or an area (art. 17), the
    /// administrators of security and audit at the centre.
    pub fn fits(self, unit: &Scope) -> bool {
        match self {
            Self::GridWorker | Self::GridLeader => matches!(unit, Scope::Grid(_)),
            Self::AreaClerk | Self::AreaHead => matches!(unit, Scope::Area(_)),
            Self::CentreClerk | Self::CentreAdmin | Self::StreetLeader => {
                matches!(unit, Scope::Centre | Scope::Street)
            }
            Self::TeamMember | Self::TeamLead => matches!(unit, Scope::Team(_)),
            Self::WindowClerk => matches!(unit, Scope::Area(_) | Scope::Centre),
            Self::SecurityAdmin | Self::AuditAdmin => *unit == Scope::Centre,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = IdentityError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|(_, name, chinese)| *name == s || *chinese == s)
            .map(|(role, _, _)| *role)
            .ok_or_else(|| IdentityError::Role { found: s.chars().take(80).collect() })
    }
}

/// An identifier that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not lower-case hexadecimal of the right length.
    #[error("{found:?} is not an identifier of {len_bytes} bytes in lower-case hexadecimal")]
    Hex {
        /// Length it must have.
        len_bytes: usize,
        /// What was given.
        found: String,
    },
    /// Not a scope.
    #[error("{found:?} is not a unit; use street, centre, area:CODE, grid:CODE or team:CODE")]
    Scope {
        /// What was given.
        found: String,
    },
    /// Not a role.
    #[error(
        "{found:?} is not a role; use grid-worker, grid-leader, area-clerk, area-head, centre-clerk, \
         centre-admin, team-member, team-lead, window-clerk, street-leader, security-admin or audit-admin"
    )]
    Role {
        /// What was given.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_and_roles_read_back_what_they_print() {
        for text in ["street", "centre", "audit", "area:贺村片", "grid:330881121200", "team:fire-1"] {
            assert_eq!(text.parse::<Scope>().expect(text).to_string(), text);
        }
        for text in ["", "grid", "grid:", "grid:a b", "area:x:y", "village:1", "grid:../../x"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?} was taken for a scope");
        }
        for (role, name, chinese) in Role::ALL {
            assert_eq!(name.parse::<Role>().ok(), Some(role));
            assert_eq!(chinese.parse::<Role>().ok(), Some(role));
        }
    }

    #[test]
    fn of_the_three_administrators_two_exclude_each_other() {
        use Role::{AuditAdmin, CentreAdmin, SecurityAdmin};
        for (one, _, _) in Role::ALL {
            for (other, _, _) in Role::ALL {
                let separated = Role::SEPARATED.contains(&one) && Role::SEPARATED.contains(&other);
                assert_eq!(one.excludes(other), separated && one != other, "{one} and {other}");
                let yields =
                    [(CentreAdmin, SecurityAdmin), (CentreAdmin, AuditAdmin), (SecurityAdmin, AuditAdmin)];
                assert_eq!(one.yields_to(other), yields.contains(&(one, other)), "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_log_id_depends_on_scope_replica_and_epoch() {
        let replica = ReplicaId([7; 32]);
        let grid = Scope::Grid("330881121200".into());
        let base = LogId::derive(&grid, &replica, Epoch(1));
        assert_ne!(base, LogId::derive(&Scope::Street, &replica, Epoch(1)));
        assert_ne!(base, LogId::derive(&grid, &ReplicaId([8; 32]), Epoch(1)));
        assert_ne!(base, LogId::derive(&grid, &replica, Epoch(2)));
    }
}
