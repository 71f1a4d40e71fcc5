//! The registers (GB/T 31000): residents, households, dwellings, who lives where, rented houses and their
//! tenants, enterprises and other places.

use super::{
    ADMINS, Access, CLOSED, ContainerSpec, EventSpec, FieldSpec, Form, GENERATION, Kind, KindSpec,
    REGISTRARS, event, field, formed, history, set,
};

impl Kind {
    /// 户.
    pub const HOUSEHOLD: Self = Self(10);
    /// 房屋.
    pub const DWELLING: Self = Self(11);
    /// 居住: a person lives or lived in a dwelling.
    pub const RESIDENCY: Self = Self(12);
    /// 出租房.
    pub const HOUSE: Self = Self(13);
    /// 承租: a person rents or rented a house.
    pub const TENANCY: Self = Self(14);
    /// 企业 (统一社会信用代码).
    pub const ENTERPRISE: Self = Self(15);
    /// A code table as the centre edited it; lives in `street`.
    pub const CODES: Self = Self(16);

    /// The registers, in the order in which they are shown.
    pub const REGISTERS: [Self; 8] = [
        Self::PERSON,
        Self::HOUSEHOLD,
        Self::DWELLING,
        Self::RESIDENCY,
        Self::HOUSE,
        Self::TENANCY,
        Self::ENTERPRISE,
        Self::PLACE,
    ];
}

/// The document that this one is another record of: see [`crate::registers::merge`].
pub const MERGED_INTO: &str = "merged_into";
/// Where the record went when it was moved to another unit: `SCOPE/ID`.
pub const MOVED_TO: &str = "moved_to";
/// Where the record was before it was moved here: `SCOPE/ID`.
pub const MOVED_FROM: &str = "moved_from";

const EVENTS: &[EventSpec] = &[
    event("moved", "迁入", ADMINS),
    event("closed", "停用", REGISTRARS),
    event("merged", "并档", REGISTRARS),
    event("unmerged", "撤销并档", REGISTRARS),
];
const CONTAINERS: &[ContainerSpec] = &[set("links"), set("extra"), history("events")];

const fn register(
    kind: Kind,
    name: &'static str,
    natural_key: Option<&'static str>,
    fields: &'static [FieldSpec],
) -> KindSpec {
    KindSpec {
        kind,
        name,
        containers: CONTAINERS,
        extensions: &[],
        fields,
        natural_key,
        access: Access { writers: REGISTRARS, events: EVENTS },
    }
}

const DATUM: FieldSpec = field("datum", "坐标系");
const UNIT: FieldSpec = field("unit", "所属村(居)");
const NOTE: FieldSpec = field("note", "备注");
const IS_CLOSED: FieldSpec = field(CLOSED, "已停用");
const GENERATED: FieldSpec = field(GENERATION, "代次");
const MERGED: FieldSpec = formed(MERGED_INTO, "并入", Form::Link(&[]));
const TO: FieldSpec = field(MOVED_TO, "迁往");
const FROM: FieldSpec = field(MOVED_FROM, "迁自");

pub(super) const KINDS: &[KindSpec] = &[
    register(
        Kind::PERSON,
        "person",
        Some("id_number"),
        &[
            field("id_number", "公民身份号码"),
            field("name", "姓名"),
            field("former_name", "曾用名"),
            field("sex", "性别"),
            field("birth_date", "出生日期"),
            field("native_place", "籍贯"),
            formed("marriage", "婚姻状况", Form::Code("marriage")),
            formed("education", "学历", Form::Code("education")),
            field("occupation", "职业"),
            field("employer", "服务处所"),
            field("phone", "联系电话"),
            field("kind", "人口类型"),
            formed("registered_division", "户籍地区划", Form::Division),
            field("registered_address", "户籍地详址"),
            formed("current_division", "现住地区划", Form::Division),
            field("current_address", "现住地详址"),
            field("registered_on", "登记日期"),
            // 户籍人口.
            formed("address_match", "人户一致标识", Form::Code("address-match")),
            formed("household", "所属户", Form::Link(&[Kind::HOUSEHOLD])),
            formed("relation_to_head", "与户主关系", Form::Code("relation-to-head")),
            // 流动人口.
            formed("inflow_reason", "流入原因", Form::Code("inflow-reason")),
            formed("permit_kind", "办证类型", Form::Code("residence-permit")),
            field("permit_number", "居住证件号码"),
            formed("permit_expires_on", "证件到期日期", Form::Date),
            formed("lodging", "住所类型", Form::Code("lodging")),
            // 境外人员.
            field("foreign_name", "外文姓名"),
            formed("country", "国籍", Form::Code("country")),
            formed("document_kind", "证件种类", Form::Code("document-type")),
            formed("document_number", "证件号码", Form::DocumentNumber),
            formed("visit_purpose", "来华目的", Form::Code("visit-purpose")),
            formed("arrived_on", "抵达日期", Form::Date),
            formed("leaves_on", "预计离开日期", Form::Date),
            // Only with consent.
            formed("care", "关爱需求", Form::Code("care")),
            formed("consent", "同意记录", Form::Consent),
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::HOUSEHOLD,
        "household",
        Some("household_number"),
        &[
            field("household_number", "户号"),
            formed("household_kind", "户类型", Form::Code("household-kind")),
            formed("head", "户主", Form::Link(&[Kind::PERSON])),
            formed("dwelling", "房屋", Form::Link(&[Kind::DWELLING])),
            field("address", "地址"),
            field("phone", "联系电话"),
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::DWELLING,
        "dwelling",
        None,
        &[
            field("address", "地址"),
            formed("building_use", "建筑用途", Form::Code("building-use")),
            formed("floor_area", "建筑面积(平方米)", Form::Area),
            formed("floors", "层数", Form::Count),
            formed("owner", "产权人", Form::Link(&[Kind::PERSON, Kind::ENTERPRISE])),
            field("owner_name", "产权人姓名"),
            field("phone", "联系电话"),
            field("longitude", "经度"),
            field("latitude", "纬度"),
            DATUM,
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::RESIDENCY,
        "residency",
        None,
        &[
            formed("person", "人员", Form::Link(&[Kind::PERSON])),
            formed("dwelling", "房屋", Form::Link(&[Kind::DWELLING])),
            formed("from", "开始日期", Form::Date),
            formed("to", "结束日期", Form::Date),
            formed("lodging", "住所类型", Form::Code("lodging")),
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::HOUSE,
        "house",
        Some("house_number"),
        &[
            field("house_number", "出租房编号"),
            field("address", "地址"),
            formed("building_use", "建筑用途", Form::Code("building-use")),
            formed("letting_use", "出租用途", Form::Code("letting-use")),
            formed("floor_area", "建筑面积(平方米)", Form::Area),
            formed("dwelling", "房屋", Form::Link(&[Kind::DWELLING])),
            formed("owner", "房主", Form::Link(&[Kind::PERSON, Kind::ENTERPRISE])),
            field("owner_name", "房主姓名"),
            field("phone", "联系电话"),
            formed("house_hazard", "隐患类型", Form::Code("house-hazard")),
            field("longitude", "经度"),
            field("latitude", "纬度"),
            DATUM,
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::TENANCY,
        "tenancy",
        None,
        &[
            formed("house", "出租房", Form::Link(&[Kind::HOUSE])),
            formed("person", "承租人", Form::Link(&[Kind::PERSON, Kind::ENTERPRISE])),
            formed("from", "开始日期", Form::Date),
            formed("to", "结束日期", Form::Date),
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::ENTERPRISE,
        "enterprise",
        Some("credit_code"),
        &[
            field("credit_code", "统一社会信用代码"),
            field("name", "名称"),
            formed("enterprise_category", "企业类别", Form::Code("enterprise-category")),
            field("address", "地址"),
            field("phone", "联系电话"),
            field("staff_count", "员工数"),
            field("legal_person", "法定代表人"),
            field("safety_officer", "安全负责人"),
            formed("hazardous", "是否危化企业", Form::Flag),
            formed("safety_hazard", "安全隐患", Form::Code("safety-hazard")),
            field("longitude", "经度"),
            field("latitude", "纬度"),
            DATUM,
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    register(
        Kind::PLACE,
        "place",
        Some("credit_code"),
        &[
            field("credit_code", "统一社会信用代码"),
            field("name", "名称"),
            field("category", "类别"),
            field("address", "地址"),
            field("manager", "负责人"),
            field("legal_person", "法定代表人"),
            field("safety_officer", "安全负责人"),
            formed("hazardous", "是否危化场所", Form::Flag),
            field("phone", "联系电话"),
            field("staff_count", "从业人数"),
            field("longitude", "经度"),
            field("latitude", "纬度"),
            DATUM,
            UNIT,
            NOTE,
            IS_CLOSED,
            GENERATED,
            MERGED,
            TO,
            FROM,
        ],
    ),
    KindSpec {
        kind: Kind::CODES,
        name: "codes",
        containers: &[set("codes"), history("events")],
        extensions: &[],
        fields: &[
            field("table", "代码表"),
            field("label", "名称"),
            field("source", "来源"),
            field("version", "版本"),
        ],
        natural_key: None,
        access: Access { writers: ADMINS, events: &[] },
    },
];
