//! Readings of names. A character of several readings (曾 ceng, zeng) gives each of them a chance.

use pinyin::{ToPinyin, ToPinyinMulti};

/// Most readings of one name that are kept.
const READINGS_MAX: usize = 6;

/// The readings of a name, syllable by syllable, the usual one first. Latin letters and digits stand for
/// themselves; what has no reading is left out.
pub fn readings(name: &str) -> Vec<Vec<String>> {
    let mut usual: Vec<String> = Vec::new();
    let mut others: Vec<(usize, String)> = Vec::new();
    let mut in_word = false;
    for c in name.chars() {
        if let Some(first) = c.to_pinyin() {
            in_word = false;
            let first = plain(first.plain());
            if let Some(all) = c.to_pinyin_multi() {
                let mut known = vec![first.clone()];
                for reading in all {
                    let reading = plain(reading.plain());
                    if !known.contains(&reading) {
                        others.push((usual.len(), reading.clone()));
                        known.push(reading);
                    }
                }
            }
            usual.push(first);
        } else if c.is_alphanumeric() {
            let letters = c.to_lowercase();
            match usual.last_mut() {
                Some(word) if in_word => word.extend(letters),
                _ => usual.push(letters.collect()),
            }
            in_word = true;
        } else {
            in_word = false;
        }
    }
    if usual.is_empty() {
        return Vec::new();
    }
    let with = |(at, reading): &(usize, String)| {
        let mut again = usual.clone();
        again[*at].clone_from(reading);
        again
    };
    let rest: Vec<Vec<String>> = others.iter().take(READINGS_MAX - 1).map(with).collect();
    std::iter::once(usual.clone()).chain(rest).collect()
}

/// Without tone marks, ü as people type it.
fn plain(reading: &str) -> String {
    reading.replace('ü', "v")
}
