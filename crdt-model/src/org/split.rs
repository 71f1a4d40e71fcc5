//! Splitting a grid (art. 16): what the codes of its parts may be.

use crate::identity::Scope;

/// Digits of a division's code.
const CODE_LEN: usize = 12;
/// Most digits of a sub-grid's number.
const NUMBER_LEN_MAX: usize = 3;

/// Whether `part` can be the code of a part of `grid` in the street of `street_code`: the grid's own code with a
/// dash and a number for a sub-grid (子网格), or a division's code of twelve digits that begins with the street's.
pub fn is_part_of(grid: &Scope, street_code: &str, part: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Scope::Grid(code) = grid else { return false };
    let number = part.strip_prefix(code.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let is_sub_grid = number.is_some_and(|number| digits(number) && number.len() <= NUMBER_LEN_MAX);
    is_sub_grid || part.len() == CODE_LEN && digits(part) && part.starts_with(street_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_bears_the_code_of_its_grid_or_of_its_street() {
        let grid = Scope::Grid("330881121200".to_owned());
        for (part, expect) in [
            ("330881121200-1", true),
            ("330881121200-12", true),
            ("330881121299", true),
            ("330881121200-", false),
            ("330881121200-东", false),
            ("330881121200-1234", false),
            ("330881121201-1", false),
            ("330881122001", false),
            ("33088112120", false),
            ("9", false),
            ("", false),
        ] {
            assert_eq!(is_part_of(&grid, "330881121", part), expect, "{part}");
        }
        assert!(!is_part_of(&Scope::Area("330881121".to_owned()), "330881121", "330881121299"));
    }
}
