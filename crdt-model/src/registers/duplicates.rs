//! Likely duplicates: one person in two records, found without any network.

use std::collections::{BTreeMap, BTreeSet};

use crate::checks::{IdNumber, text};
use crate::document::DocumentView;
use crate::identity::DocId;

/// People who share a phone beyond this number share an office, not an identity.
const PHONE_SHARED_MAX: usize = 8;

/// Why two records may be of one person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// 身份号码相同.
    IdNumber,
    /// 证件号码相同.
    DocumentNumber,
    /// 姓名、出生日期、住址相同.
    NameBirthAddress,
    /// 电话和姓名相同.
    NamePhone,
    /// 电话相同.
    Phone,
}

impl Why {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdNumber => "id-number",
            Self::DocumentNumber => "document-number",
            Self::NameBirthAddress => "name-birth-address",
            Self::NamePhone => "name-phone",
            Self::Phone => "phone",
        }
    }
}

/// Two records that may be of one person, the smaller id first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// The records.
    pub docs: [DocId; 2],
    /// Why, the strongest reason first.
    pub why: Vec<Why>,
}

/// The day of birth that a record states or its ID number tells.
fn births(view: &DocumentView) -> BTreeSet<String> {
    let stated = view.texts("birth_date").into_iter();
    let told = view.texts("id_number").into_iter().filter_map(|number| {
        let number = IdNumber::parse(&number).ok()?;
        let digits = String::from(number);
        Some(format!("{}-{}-{}", digits.get(6..10)?, digits.get(10..12)?, digits.get(12..14)?))
    });
    stated.chain(told).collect()
}

/// Likely pairs among records of persons, the likeliest first.
pub fn pairs<'a>(views: impl IntoIterator<Item = &'a DocumentView>) -> Vec<Pair> {
    let mut buckets: BTreeMap<(Why, String), BTreeSet<DocId>> = BTreeMap::new();
    let mut put = |why: Why, key: String, doc: DocId| {
        buckets.entry((why, key)).or_default().insert(doc);
    };
    for view in views {
        for number in view.texts("id_number") {
            put(Why::IdNumber, number, view.id);
        }
        for number in view.texts("document_number") {
            put(Why::DocumentNumber, number, view.id);
        }
        let names: Vec<String> = view.texts("name").iter().map(|name| text::compact(name)).collect();
        let births = births(view);
        for name in names.iter().filter(|name| !name.is_empty()) {
            for address in ["current_address", "registered_address"].iter().flat_map(|f| view.texts(f)) {
                for birth in &births {
                    let key = format!("{name}|{birth}|{}", text::compact(&address));
                    put(Why::NameBirthAddress, key, view.id);
                }
            }
        }
        for phone in view.texts("phone").iter().filter(|phone| !phone.is_empty()) {
            put(Why::Phone, phone.clone(), view.id);
            for name in &names {
                put(Why::NamePhone, format!("{name}|{phone}"), view.id);
            }
        }
    }
    let mut found: BTreeMap<[DocId; 2], BTreeSet<Why>> = BTreeMap::new();
    for ((why, _), docs) in buckets {
        if docs.len() < 2 || why == Why::Phone && docs.len() > PHONE_SHARED_MAX {
            continue;
        }
        let docs: Vec<DocId> = docs.into_iter().collect();
        for (at, a) in docs.iter().enumerate() {
            for b in &docs[at + 1..] {
                found.entry([*a, *b]).or_default().insert(why);
            }
        }
    }
    let mut pairs: Vec<Pair> = found
        .into_iter()
        .map(|(docs, mut why)| {
            if why.contains(&Why::NamePhone) {
                why.remove(&Why::Phone);
            }
            Pair { docs, why: why.into_iter().collect() }
        })
        .collect();
    pairs.sort_by(|a, b| a.why.cmp(&b.why).then(a.docs.cmp(&b.docs)));
    pairs
}
