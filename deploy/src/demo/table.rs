//! A table whose columns stand under one another although Chinese letters are twice as wide.

/// Letters from here on fill two columns of a terminal (Hangul and CJK, full-width forms).
const WIDE_FROM: char = '\u{1100}';

fn width(text: &str) -> usize {
    let marks = |c: &char| matches!(c, '✓' | '✗' | '–' | '·' | '/');
    text.chars().map(|c| if c >= WIDE_FROM && !marks(&c) { 2 } else { 1 }).sum()
}

/// Draws `rows` under `headings`; the first `left` columns stand to the left, the others to the right.
pub(crate) fn draw(headings: &[[&str; 2]], rows: &[Vec<String>], left: usize) -> String {
    let mut all: Vec<Vec<String>> = (0..2)
        .map(|language| headings.iter().map(|heading| heading[language].to_owned()).collect())
        .collect();
    all.extend(rows.iter().cloned());
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let mut lines: Vec<String> = all
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, wide))| {
                    let pad = " ".repeat(wide - width(cell));
                    if column < left { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    let rule = widths.iter().map(|wide| "-".repeat(*wide)).collect::<Vec<_>>().join("  ");
    lines.insert(2, rule);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another() {
        let table = draw(&[["副本", "replica"], ["文档", "docs"]], &[vec!["手机甲".into(), "17".into()]], 1);
        assert_eq!(table, "副本     文档\nreplica  docs\n-------  ----\n手机甲     17");
    }
}
