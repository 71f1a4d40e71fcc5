//! The kinds of documents, their containers and the fields that this version knows.
//!
//! Containers belong to a kind's genesis and never change. Fields are scalars under a string key of
//! the root, so a newer version may add some: an older one stores, forwards and shows them.

use std::fmt;

use serde::{Deserialize, Serialize};

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

    /// What this version knows of the kind; `None` if a newer version wrote it.
    pub fn spec(self) -> Option<&'static KindSpec> {
        KINDS.iter().find(|spec| spec.kind == self)
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
}

impl KindSpec {
    /// The container of that name, with its place among all of them and the extension that makes it (0 for
    /// the genesis).
    pub fn container(&self, name: &str) -> Option<(usize, u8, &'static ContainerSpec)> {
        let levels = std::iter::once(&self.containers).chain(self.extensions);
        let all =
            levels.zip(0u8..).flat_map(|(containers, level)| containers.iter().map(move |c| (level, c)));
        let mut placed = all.enumerate().map(|(at, (level, container))| (at, level, container));
        placed.find(|(_, _, container)| container.name == name)
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
    FieldSpec { name, label }
}

/// Every kind that this version knows.
pub const KINDS: &[KindSpec] = &[
    KindSpec {
        kind: Kind::PERSON,
        name: "person",
        containers: &[set("links"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("id_number", "公民身份号码"),
            field("name", "姓名"),
            field("former_name", "曾用名"),
            field("sex", "性别"),
            field("birth_date", "出生日期"),
            field("native_place", "籍贯"),
            field("marriage", "婚姻状况"),
            field("education", "学历"),
            field("occupation", "职业"),
            field("employer", "服务处所"),
            field("phone", "联系电话"),
            field("kind", "人口类型"),
            field("registered_address", "户籍地详址"),
            field("current_address", "现住地详址"),
            field("registered_on", "登记日期"),
            field("unit", "所属村(居)"),
            field("note", "备注"),
            field(CLOSED, "已停用"),
            field(GENERATION, "代次"),
        ],
        natural_key: Some("id_number"),
    },
    KindSpec {
        kind: Kind::PLACE,
        name: "place",
        containers: &[set("links"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("credit_code", "统一社会信用代码"),
            field("name", "名称"),
            field("category", "类别"),
            field("address", "地址"),
            field("manager", "负责人"),
            field("phone", "联系电话"),
            field("staff_count", "从业人数"),
            field("longitude", "经度"),
            field("latitude", "纬度"),
            field("datum", "坐标系"),
            field("unit", "所属村(居)"),
            field("note", "备注"),
            field(CLOSED, "已停用"),
            field(GENERATION, "代次"),
        ],
        natural_key: Some("credit_code"),
    },
    KindSpec {
        kind: Kind::CASE,
        name: "case",
        containers: &[history("events"), set("links"), set("extra")],
        extensions: &[],
        fields: &[
            field("number", "编号"),
            field("category", "类别"),
            field("text", "内容"),
            field("level", "级别"),
            field("source", "来源"),
            field("place", "地点"),
            field("person", "当事人"),
            field("location", "位置"),
        ],
        natural_key: None,
    },
    KindSpec {
        kind: Kind::UNIT,
        name: "unit",
        containers: &[set("members"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("scope", "单位"),
            field("name", "名称"),
            field("area", "片区"),
            field("code", "区划代码"),
        ],
        natural_key: None,
    },
    KindSpec {
        kind: Kind::WORKER,
        name: "worker",
        containers: &[set("posts"), set("extra"), history("events")],
        extensions: &[],
        fields: &[field("name", "姓名"), field("status", "状态")],
        natural_key: None,
    },
    KindSpec {
        kind: Kind::REPLICA,
        name: "replica",
        containers: &[set("epochs"), set("extra"), history("events")],
        extensions: &[],
        fields: &[
            field("key", "公钥"),
            field("worker", "人员"),
            field("status", "状态"),
            field("role", "岗位"),
            field("unit", "单位"),
        ],
        natural_key: None,
    },
    #[cfg(test)]
    KindSpec {
        kind: Kind(250),
        name: "extended",
        containers: &[set("links")],
        extensions: &[&[history("events")], &[set("extra"), set("members")]],
        fields: &[field("name", "名称")],
        natural_key: None,
    },
];

/// Strings that travel as a number: names of fields and containers and frequent words. Append only:
/// an entry's place is part of the wire format.
pub const DICTIONARY: &[&str] = &[
    "id_number",
    "name",
    "former_name",
    "sex",
    "birth_date",
    "native_place",
    "marriage",
    "education",
    "occupation",
    "employer",
    "phone",
    "kind",
    "registered_address",
    "current_address",
    "registered_on",
    "unit",
    "note",
    "closed",
    "generation",
    "credit_code",
    "category",
    "address",
    "manager",
    "staff_count",
    "longitude",
    "latitude",
    "datum",
    "number",
    "text",
    "level",
    "source",
    "place",
    "person",
    "location",
    "scope",
    "area",
    "code",
    "status",
    "key",
    "worker",
    "role",
    "links",
    "extra",
    "events",
    "members",
    "posts",
    "epochs",
    "1",
    "2",
    "0",
    "9",
    "registered",
    "floating",
    "overseas",
    "active",
    "WGS-84",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_kind_and_in_the_dictionary() {
        for spec in KINDS {
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
