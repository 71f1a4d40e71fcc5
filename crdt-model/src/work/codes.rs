//! Code tables that records of grid work begin with (GB/T 31000 as implementations have them, 人民调解 statistics).

/// Entries of a table: code and name.
pub type Entries = Vec<(String, String)>;

/// Where code tables are looked up; the centre may have replaced one.
pub type Codes<'a> = &'a dyn Fn(&str) -> Entries;

const HAZARD: &[(&str, &str)] =
    &[("01", "治安"), ("02", "消防"), ("03", "矛盾纠纷"), ("04", "劳资纠纷"), ("99", "其他")];

const DISPUTE: &[(&str, &str)] = &[
    ("01", "婚恋家庭"),
    ("02", "邻里"),
    ("03", "人格权"),
    ("04", "物权"),
    ("05", "侵权"),
    ("06", "合同"),
    ("07", "劳动人事"),
    ("08", "金融借贷"),
    ("09", "土地资源权属"),
    ("10", "其他民商事"),
    ("11", "城乡建设"),
    ("12", "涉民政"),
    ("13", "其他行政执法"),
    ("14", "涉法涉诉"),
    ("15", "涉组织涉纪检"),
    ("16", "涉民族宗教"),
    ("99", "其他"),
];

const SCALE: &[(&str, &str)] = &[("01", "个体性"), ("02", "一般群体性"), ("03", "重大群体性")];

const MEETING: &[(&str, &str)] = &[
    ("centre", "中心例会"),
    ("area-heads", "片区长例会"),
    ("grid-leaders", "网格长例会"),
    ("other", "其他会议"),
];

const MATTER: &[(&str, &str)] = &[("assist", "协办"), ("transfer", "移交")];

const AGREEMENT: &[(&str, &str)] = &[("oral", "口头协议"), ("written", "书面协议")];

const SUGGESTION: &[(&str, &str)] = &[("complaint", "投诉"), ("suggestion", "建议")];

/// The table of that name as it ships.
pub fn shipped(table: &str) -> Entries {
    let entries = match table {
        "hazard" => HAZARD,
        "dispute" => DISPUTE,
        "scale" => SCALE,
        "meeting" => MEETING,
        "matter" => MATTER,
        "agreement" => AGREEMENT,
        "suggestion" => SUGGESTION,
        _ => &[],
    };
    entries.iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned())).collect()
}

/// The code that was typed: itself, its name, or the beginning of one name alone (口头 for 口头协议).
pub fn code_of(entries: &[(String, String)], typed: &str) -> Option<String> {
    let typed = crate::checks::text::compact(typed);
    let same = |code: &String, name: &String| {
        *code == typed || *name == typed || code.trim_start_matches('0') == typed && !typed.is_empty()
    };
    let exact = entries.iter().find(|(code, name)| same(code, name));
    let mut begun = entries.iter().filter(|(_, name)| typed.chars().count() > 1 && name.starts_with(&typed));
    let one = match (begun.next(), begun.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    };
    exact.or(one).map(|(code, _)| code.clone())
}

/// The name of a code; the code itself if the table does not have it.
pub fn name_of(entries: &[(String, String)], code: &str) -> String {
    entries.iter().find(|(known, _)| known == code).map_or_else(|| code.to_owned(), |(_, name)| name.clone())
}
