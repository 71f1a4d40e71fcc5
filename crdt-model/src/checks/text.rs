//! Normal forms of names and free text (姓名, 地址).
//!
//! Ledgers are typed with a Chinese input method in whatever width it happens to be in. Two
//! spellings of one name must compare equal, or one person becomes two.

/// Folds full-width ASCII and the ideographic space to their half-width forms.
#[must_use]
pub fn half_width(text: &str) -> String {
    text.chars().map(fold_width).collect()
}

/// Half-width, without any blank or invisible character: the form identifiers are read from.
#[must_use]
pub fn compact(text: &str) -> String {
    text.chars().map(fold_width).filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect()
}

/// Normal form of an address or a remark: half-width, trimmed, each run of blanks one space.
#[must_use]
pub fn free_text(text: &str) -> String {
    let folded: String = text
        .chars()
        .map(fold_width)
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Normal form of a person's or a place's name.
///
/// A blank beside a Chinese character is layout (`张  三`) and goes; between Latin words it
/// stays as one space. The dots that input methods offer for names such as 阿迪力·买买提
/// become the middle dot U+00B7.
#[must_use]
pub fn name(text: &str) -> String {
    let chars: Vec<char> = free_text(text).chars().collect();
    let mut normal = String::with_capacity(text.len());
    // The last character kept, so that blanks around a dot do not hide its neighbours.
    let mut before: Option<char> = None;
    for (index, &c) in chars.iter().enumerate() {
        let after = chars[index + 1..].iter().copied().find(|c| *c != ' ');
        let beside_chinese = |c: Option<char>| c.is_some_and(|c| is_chinese(c) || is_name_dot(c) && c != '.');
        if c == ' ' && (beside_chinese(before) || beside_chinese(after)) {
            continue;
        }
        let between_chinese = before.is_some_and(is_chinese) && after.is_some_and(is_chinese);
        let c = if is_name_dot(c) && between_chinese { MIDDLE_DOT } else { c };
        normal.push(c);
        before = Some(c);
    }
    normal
}

/// Whether the character is a Chinese ideograph.
#[must_use]
pub fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

const MIDDLE_DOT: char = '\u{B7}';

fn is_name_dot(c: char) -> bool {
    matches!(c, '\u{B7}' | '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}' | '.')
}

fn fold_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        c => c,
    }
}

/// Characters that take no room on the screen but break comparisons: zero-width marks, the
/// byte-order mark, direction marks, control characters.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(normalise: fn(&str) -> String, input: &str, expect: &str) {
        let once = normalise(input);
        assert_eq!(once, expect, "{input:?}");
        assert_eq!(normalise(&once), once, "a normal form must be its own normal form");
    }

    #[test]
    fn a_chinese_name_loses_its_inner_blanks() {
        check(name, " 张 三\u{3000}", "张三");
        check(name, "张\u{200B}三\u{FEFF}", "张三");
        check(name, "欧阳\n修", "欧阳修");
    }

    #[test]
    fn a_latin_name_keeps_one_blank() {
        check(name, "  Anna\u{A0}  Maria ", "Anna Maria");
        check(name, "Ａｎｎａ　Ｍａｒｉａ", "Anna Maria");
        check(name, "J. Smith", "J. Smith");
    }

    #[test]
    fn the_dots_of_one_name_compare_equal() {
        for dotted in ["阿迪力·买买提", "阿迪力•买买提", "阿迪力 ・ 买买提", "阿迪力．买买提"]
        {
            check(name, dotted, "阿迪力·买买提");
        }
        check(name, "1.5元店", "1.5元店");
    }

    #[test]
    fn free_text_keeps_single_blanks_and_folds_width() {
        check(free_text, "\t中心社区　１２号（Ａ座）\r\n 3 楼 ", "中心社区 12号(A座) 3 楼");
        check(free_text, " \u{3000}\n", "");
    }

    #[test]
    fn compact_leaves_no_blank() {
        check(compact, " ９９０１ ０１\u{A0}ｘ\t", "990101x");
    }
}
