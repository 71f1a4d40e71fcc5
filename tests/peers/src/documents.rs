//! The documents: invented persons with the columns of a village ledger, the same in every run.

use std::fmt;

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, ROOT};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Replicas that edit aged documents.
pub(crate) const REPLICAS: u8 = 6;

/// A region code that is assigned to nobody.
const REGION: &str = "990101";

/// First birthday. Each person has another one, up to [`BIRTHDAYS`].
const BORN_FROM: Date = date(1935, 1, 1);

/// Days on which persons are born: as many persons differ in their identity number.
const BIRTHDAYS: u64 = 29_000;

/// Shares no factor with [`BIRTHDAYS`], so that multiples visit every day before repeating.
const BIRTHDAY_STRIDE: u64 = 7_919;

const SURNAMES: [&str; 12] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "欧阳"];
const GIVEN_NAMES: [&str; 12] =
    ["伟", "芳", "秀英", "敏", "建国", "丽", "强", "桂兰", "志明", "春梅", "海燕", "子轩"];
const KINDS: [&str; 3] = ["户籍人口", "流动人口", "寄住人口"];
const STREETS: [&str; 6] = ["幸福路", "建设街", "柳河村一组", "柳河村二组", "青石巷", "东风大道"];
const EMPLOYERS: [&str; 6] = ["无业", "务农", "青石镇中心小学", "柳河水泥厂", "东风大道便民超市", "镇卫生院"];

/// Whether documents are as entered or have been edited since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// As entered.
    Fresh,
    /// Entered, then edited three times, by different replicas out of six.
    Aged,
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Aged => "aged",
        })
    }
}

/// A later edit of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Who edits, below [`REPLICAS`].
    pub(crate) replica: u8,
    /// What is edited.
    pub(crate) column: &'static str,
    /// What it is afterwards.
    pub(crate) value: String,
}

/// The columns of person `i`, in the order of the ledger.
pub(crate) fn person(i: u64) -> Vec<(&'static str, String)> {
    let mut rng = ChaCha8Rng::seed_from_u64(i);
    let born = BORN_FROM + i64_of(i * BIRTHDAY_STRIDE % BIRTHDAYS).days();
    let sequence = 1 + below(&mut rng, 998);
    let name = [pick(&mut rng, &SURNAMES), pick(&mut rng, &GIVEN_NAMES)].concat();
    let sex = if sequence % 2 == 1 { "男" } else { "女" };
    let registered_on = date(2010, 1, 1) + i64_of(below(&mut rng, 5_000)).days();
    vec![
        ("id_number", id_number(born, sequence)),
        ("name", name),
        ("sex", sex.into()),
        ("kind", pick(&mut rng, &KINDS).into()),
        ("phone", phone(&mut rng)),
        ("registered_address", address(&mut rng)),
        ("current_address", address(&mut rng)),
        ("employer", pick(&mut rng, &EMPLOYERS).into()),
        ("registered_on", registered_on.to_string()),
    ]
}

/// The three later edits of an aged person, each to a value that was not there.
pub(crate) fn edits(i: u64) -> [Edit; 3] {
    // Another stream than the one the person was drawn from.
    let mut rng = ChaCha8Rng::seed_from_u64(i);
    rng.set_stream(1);
    let first = (i % u64::from(REPLICAS)) as u8;
    let entered = person(i);
    let mut edit = |nth: u8, column, draw: fn(&mut ChaCha8Rng) -> String| {
        let value = loop {
            let value = draw(&mut rng);
            if !entered.contains(&(column, value.clone())) {
                break value;
            }
        };
        Edit { replica: (first + nth) % REPLICAS, column, value }
    };
    [
        edit(1, "phone", phone),
        edit(2, "employer", |rng| pick(rng, &EMPLOYERS).into()),
        edit(3, "current_address", address),
    ]
}

/// A phone number for an edit made during a run.
pub(crate) fn new_phone(i: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(i);
    rng.set_stream(2);
    phone(&mut rng)
}

/// Person `i` as an Automerge document: one change that enters it, one for each edit.
pub(crate) fn document(i: u64, age: Age) -> anyhow::Result<Automerge> {
    let mut document = Automerge::new();
    document.set_actor(actor((i % u64::from(REPLICAS)) as u8));
    put(&mut document, person(i))?;
    if age == Age::Aged {
        for edit in edits(i) {
            document.set_actor(actor(edit.replica));
            put(&mut document, [(edit.column, edit.value)])?;
        }
    }
    Ok(document)
}

/// Sets columns in one change.
pub(crate) fn put(
    document: &mut Automerge,
    columns: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<()> {
    let mut change = document.transaction();
    for (column, value) in columns {
        change.put(ROOT, column, value)?;
    }
    change.commit();
    Ok(())
}

/// The actor of a replica: sixteen bytes, as long as the random ones that Automerge draws.
fn actor(replica: u8) -> ActorId {
    let mut bytes = [0; 16];
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(replica));
    rng.set_stream(3);
    rng.fill_bytes(&mut bytes);
    ActorId::from(bytes)
}

/// An identity number (公民身份号码) with its check digit.
///
/// Source: GB 11643-1999, which takes the check digit from ISO 7064, MOD 11-2.
fn id_number(born: Date, sequence: u64) -> String {
    let digits = format!("{REGION}{}{sequence:03}", born.strftime("%Y%m%d"));
    let check = check_digit(&digits);
    format!("{digits}{check}")
}

fn check_digit(digits: &str) -> char {
    let sum: u32 =
        digits.chars().filter_map(|digit| digit.to_digit(10)).fold(0, |sum, digit| (sum + digit) * 2 % 11);
    char::from(b"10X98765432"[sum as usize % 11])
}

fn phone(rng: &mut ChaCha8Rng) -> String {
    format!("138{:08}", below(rng, 100_000_000))
}

fn address(rng: &mut ChaCha8Rng) -> String {
    let street = pick(rng, &STREETS);
    format!("青石镇{street}{}号", 1 + below(rng, 300))
}

fn pick<'a>(rng: &mut ChaCha8Rng, from: &[&'a str]) -> &'a str {
    from[below(rng, from.len() as u64) as usize]
}

fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound
}

fn i64_of(days: u64) -> i64 {
    i64::try_from(days).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_check_digit_is_that_of_a_published_example() {
        assert_eq!(check_digit("11010519491231002"), 'X');
        assert_eq!(check_digit("44052418800101001"), '4');
    }

    #[test]
    fn persons_are_the_same_in_every_run_and_differ_from_each_other() {
        assert_eq!(person(7), person(7));
        let numbers: BTreeSet<_> = (0..5_000).map(|i| person(i)[0].1.clone()).collect();
        assert_eq!(numbers.len(), 5_000);
        assert!(numbers.iter().all(|number| number.len() == 18));
        assert_eq!(person(7)[4].1.len(), 11);
    }

    #[test]
    fn an_aged_document_has_four_changes_by_four_replicas() -> anyhow::Result<()> {
        let changes = document(9, Age::Aged)?.get_changes(&[]);
        let actors: BTreeSet<_> = changes.iter().map(automerge::Change::actor_id).collect();
        assert_eq!((changes.len(), actors.len()), (4, 4));
        let again = document(9, Age::Aged)?;
        assert_eq!(again.get_heads(), document(9, Age::Aged)?.get_heads());
        Ok(())
    }
}
