//! What is not collected of residents, and why (个人信息保护法 6, 19, 28, 34). No register has such fields, no
//! form offers them, no ledger's column of that name is read.

/// Something that is not collected.
#[derive(Debug, PartialEq, Eq)]
pub struct NotCollected {
    /// What it is called.
    pub label: &'static str,
    /// Why, in Chinese.
    pub reason_zh: &'static str,
    /// Why, in English.
    pub reason_en: &'static str,
    /// Beginnings or parts of names under which it comes.
    words: &'static [&'static str],
}

impl NotCollected {
    /// What it is called in English.
    pub fn name_en(&self) -> &'static str {
        self.words.iter().find(|word| word.is_ascii()).copied().unwrap_or_default()
    }
}

const NO_DUTY_ZH: &str = "网格职责用不到,不得收集";
const NO_DUTY_EN: &str = "no duty of the grid needs it";
const SENSITIVE_ZH: &str = "属敏感个人信息,网格没有法定职责和本人单独同意,不得收集";
const SENSITIVE_EN: &str = "it is sensitive personal information without a legal duty of the grid";
const LABELLING_ZH: &str = "不得给居民贴标签、打分或建专门名册";
const LABELLING_EN: &str = "residents are not labelled, scored or put on special lists";

const ALL: &[NotCollected] = &[
    NotCollected {
        label: "宗教信仰",
        reason_zh: SENSITIVE_ZH,
        reason_en: SENSITIVE_EN,
        words: &["宗教", "信仰", "教派", "信教", "religion", "faith"],
    },
    NotCollected {
        label: "民族",
        reason_zh: NO_DUTY_ZH,
        reason_en: NO_DUTY_EN,
        words: &["民族", "族别", "ethnic", "race"],
    },
    NotCollected {
        label: "政治面貌",
        reason_zh: NO_DUTY_ZH,
        reason_en: NO_DUTY_EN,
        words: &["政治面貌", "政治面目", "党员", "党派", "入党", "political", "party"],
    },
    NotCollected {
        label: "生物识别信息",
        reason_zh: SENSITIVE_ZH,
        reason_en: SENSITIVE_EN,
        words: &[
            "指纹",
            "人脸",
            "面部",
            "虹膜",
            "声纹",
            "基因",
            "dna",
            "血型",
            "biometric",
            "fingerprint",
            "face",
            "iris",
            "blood",
        ],
    },
    NotCollected {
        label: "行踪轨迹",
        reason_zh: SENSITIVE_ZH,
        reason_en: SENSITIVE_EN,
        words: &["行踪", "轨迹", "活动路线", "定位记录", "trail", "track", "trajectory", "movements"],
    },
    NotCollected {
        label: "生育信息",
        reason_zh: SENSITIVE_ZH,
        reason_en: SENSITIVE_EN,
        words: &["生育", "怀孕", "孕", "避孕", "节育", "计生", "月经", "fertility", "pregnan", "contracepti"],
    },
    NotCollected {
        label: "重点关注标记",
        reason_zh: LABELLING_ZH,
        reason_en: LABELLING_EN,
        words: &[
            "重点关注",
            "重点人员",
            "重点人口",
            "重点对象",
            "关注类型",
            "关注等级",
            "人员标签",
            "管控",
            "稳控",
            "上访人员",
            "attention",
            "watchlist",
        ],
    },
    NotCollected {
        label: "评分和预测",
        reason_zh: LABELLING_ZH,
        reason_en: LABELLING_EN,
        words: &["信用分", "信用评", "积分", "风险等级", "风险评", "危险程度", "score", "risk", "prediction"],
    },
    NotCollected {
        label: "刑释、矫正、吸毒人员名册",
        reason_zh: LABELLING_ZH,
        reason_en: LABELLING_EN,
        words: &[
            "刑满",
            "刑释",
            "前科",
            "犯罪",
            "社区矫正",
            "矫正",
            "帮教",
            "吸毒",
            "戒毒",
            "prisoner",
            "criminal",
            "convict",
            "drug",
            "parole",
        ],
    },
    NotCollected {
        label: "疾病和精神障碍",
        reason_zh: SENSITIVE_ZH,
        reason_en: SENSITIVE_EN,
        words: &["艾滋", "传染病史", "精神", "病史", "患病", "hiv", "aids", "mental", "disease", "illness"],
    },
];

/// What a field or column of that name would collect though it must not.
pub fn not_collected(name: &str) -> Option<&'static NotCollected> {
    let name = crate::checks::text::compact(name).to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    let latin = |word: &str| words.clone().any(|part| part.starts_with(word));
    let is_called = |word: &str| if word.is_ascii() { latin(word) } else { name.contains(word) };
    ALL.iter().find(|entry| entry.words.iter().any(|word| is_called(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, kinds};

    #[test]
    fn no_register_has_a_field_that_is_not_collected() {
        for spec in kinds().filter(|spec| Kind::REGISTERS.contains(&spec.kind)) {
            for field in spec.fields {
                for name in [field.name, field.label] {
                    let found = not_collected(name).map(|entry| entry.label);
                    assert_eq!(found, None, "{} of {}", field.name, spec.name);
                }
            }
        }
    }

    #[test]
    fn such_fields_are_known_by_their_usual_names() {
        for (name, label) in [
            ("religion", "宗教信仰"),
            ("民 族", "民族"),
            ("ethnicity", "民族"),
            ("政治面貌", "政治面貌"),
            ("是否党员", "政治面貌"),
            ("fingerprints", "生物识别信息"),
            ("key_attention", "重点关注标记"),
            ("重点人员类别", "重点关注标记"),
            ("是否吸毒人员", "刑释、矫正、吸毒人员名册"),
            ("HIV", "疾病和精神障碍"),
            ("生育情况", "生育信息"),
        ] {
            assert_eq!(not_collected(name).map(|entry| entry.label), Some(label), "{name}");
        }
        for name in ["姓名", "所属村(居)", "phone", "服务处所", "人口类型", "登记日期", "序号", "备注"]
        {
            assert_eq!(not_collected(name), None, "{name}");
        }
    }
}
