//! `field=value` as a person types it: known fields only, each value checked and in its normal form.

use std::cell::OnceCell;

use wangge_ledger::{LedgerKind, ResidentKind};
use wangge_model::checks::{
    CheckError, Coordinates, CreditCode, Date, IdNumber, Phone, Sex, id_number, text,
};
use wangge_model::codes::Codes;
use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::identity::Scope;
use wangge_model::schema::{
    CLOSED, Form, GENERATION, Kind, MERGED_INTO, MOVED_FROM, MOVED_TO, NotCollected, not_collected,
};

use super::{CommandError, instant, key, units};
use crate::replica::Replica;
use crate::text::{Label, Message, RegisterMessage, scrub};

/// Longest text typed into one field, in characters.
const TEXT_CHARS_MAX: usize = 2_000;
/// Most people that one place can employ; more is a typing error.
const STAFF_MAX: i64 = 1_000_000;
/// Greatest floor area, in square metres; more is a typing error.
const AREA_MAX: f64 = 10_000_000.0;
/// Characters of an ID number and of a credit code.
const NUMBER_LEN: usize = 18;
/// Codes that a message lists.
const ALLOWED_MAX: usize = 20;

/// What to write to the fields of one document.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(&'static str, Option<Scalar>)>,
    /// What was taken although something about it is unusual.
    pub(super) warnings: Vec<String>,
}

/// What offices head columns of the registers besides the fields' own labels.
const OTHER_HEADINGS: [(&str, &str); 9] = [
    ("婚姻", "婚姻状况"),
    ("婚姻情况", "婚姻状况"),
    ("文化程度", "学历"),
    ("教育程度", "学历"),
    ("最高学历", "学历"),
    ("出生年月", "出生日期"),
    ("出生年月日", "出生日期"),
    ("与户主的关系", "与户主关系"),
    ("备注说明", "备注"),
];

/// Fields that commands of their own set.
const NOT_SETTABLE: [&str; 5] = [CLOSED, GENERATION, MERGED_INTO, MOVED_TO, MOVED_FROM];

/// Fields that a person may set, in the order in which they are shown.
pub(super) fn settable(kind: Kind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let fields = kind.spec().map(|spec| spec.fields).unwrap_or_default();
    fields.iter().map(|field| (field.name, field.label)).filter(|(name, _)| !NOT_SETTABLE.contains(name))
}

fn known(kind: Kind, typed: &str) -> Result<&'static str, CommandError> {
    let typed = typed.trim();
    if let Some((name, _)) = settable(kind)
        .find(|(name, label)| *name == typed || *label == typed || label.split('(').next() == Some(typed))
    {
        return Ok(name);
    }
    // `birth` for birth_date, `category` for enterprise_category: where it is the one field's alone.
    let part_of = |name: &str| {
        let rest = name.strip_prefix(typed).and_then(|rest| rest.strip_prefix('_'));
        let front = name.strip_suffix(typed).and_then(|front| front.strip_suffix('_'));
        rest.or(front).is_some()
    };
    let mut parts = settable(kind).map(|(name, _)| name).filter(|name| part_of(name));
    if let (Some(name), None) = (parts.next(), parts.next()) {
        return Ok(name);
    }
    // 身份证号, 电话: as the ledgers' columns are headed; 婚姻 for 婚姻状况, where it is the one label's alone.
    let ledger = match kind {
        Kind::PERSON => Some(LedgerKind::Residents),
        Kind::PLACE | Kind::ENTERPRISE => Some(LedgerKind::Places),
        _ => None,
    };
    let heading = ledger.and_then(|ledger| ledger.heading(typed));
    if let Some((name, _)) = settable(kind).find(|(_, label)| heading == Some(*label)) {
        return Ok(name);
    }
    if typed.chars().count() > 1 {
        let mut parts = settable(kind).filter(|(_, label)| label.contains(typed));
        if let (Some((name, _)), None) = (parts.next(), parts.next()) {
            return Ok(name);
        }
    }
    if let Some(what) = not_collected(typed) {
        let label = Label { en: what.name_en(), zh: what.label };
        let NotCollected { reason_zh, reason_en, .. } = what;
        let message = RegisterMessage::NotCollected { label, reason_zh, reason_en };
        return Err(
            CommandError::failed("field-not-collected", &Message::Register(message)).on(&scrub(typed))
        );
    }
    let fields: Vec<String> = settable(kind).map(|(name, label)| format!("{name} ({label})")).collect();
    let names: Vec<&str> = settable(kind).map(|(name, _)| name).collect();
    let (typed, fields, names) = (scrub(typed), fields.join("、"), names.join(", "));
    let message = Message::FieldUnknown { typed: &typed, fields: &fields, names: &names };
    Err(CommandError::usage("field-unknown", &message).on(&typed))
}

/// The field that a ledger's column holds, with its label: one that can be read from a cell by itself.
///
/// Stricter than what a person types field by field: a whole column under the wrong field is many wrong records.
pub(super) fn column(kind: Kind, heading: &str) -> Option<(&'static str, &'static str)> {
    if not_collected(heading).is_some() {
        return None;
    }
    let ledger = if kind == Kind::PERSON { LedgerKind::Residents } else { LedgerKind::Places };
    let other = OTHER_HEADINGS.iter().find(|(other, _)| *other == heading).map(|(_, label)| *label);
    let meant = other.or_else(|| ledger.heading(heading)).unwrap_or(heading);
    let headed = |meant: &str| {
        settable(kind).find(|(_, label)| *label == meant || label.split('(').next() == Some(meant))
    };
    let (name, label) = headed(heading).or_else(|| headed(meant))?;
    let spec = kind.spec()?.field(name)?;
    let by_itself = !matches!(spec.form, Form::Link(_) | Form::Consent) && !["care", "unit"].contains(&name);
    by_itself.then_some((name, label))
}

/// The field that a person names, among those that a document has.
pub(super) fn field_of(view: &DocumentView, typed: &str) -> Result<String, CommandError> {
    if view.fields.contains_key(typed) {
        return Ok(typed.to_owned());
    }
    known(view.kind, typed).map(str::to_owned)
}

impl Edits {
    /// Reads `field=value …`; an empty value deletes.
    pub(super) fn parse(reader: &Reader<'_>, kind: Kind, typed: &[String]) -> Result<Self, CommandError> {
        let mut edits = Self::default();
        for typed in typed {
            let natural = kind.spec().and_then(|spec| spec.natural_key);
            let alone = |typed: &str| {
                let typed = text::compact(typed);
                typed.len() == NUMBER_LEN && typed.bytes().all(|b| b.is_ascii_alphanumeric())
            };
            let pair = typed.split_once(['=', '＝']);
            // 990101199001010019 alone says whose it is.
            let pair = pair.or(natural.filter(|_| alone(typed)).map(|field| (field, typed.as_str())));
            let Some((field, value)) = pair else {
                let typed = scrub(typed);
                return Err(CommandError::usage("no-equals-sign", &Message::NoEqualsSign { typed: &typed }));
            };
            let field = known(kind, field)?;
            if edits.has(field) {
                return Err(CommandError::usage("field-twice", &Message::FieldTwice { field }));
            }
            let value = value.trim();
            let scalar = if value.is_empty() {
                None
            } else {
                Some(reader.check(kind, field, value, &mut edits.warnings)?)
            };
            edits.list.push((field, scalar));
        }
        Ok(edits)
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.list.iter().any(|(name, _)| *name == field)
    }

    /// The text to be written to a field.
    pub(super) fn text(&self, field: &str) -> Option<String> {
        self.list.iter().find(|(name, _)| *name == field)?.1.as_ref().map(Scalar::to_text)
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, field: &str) -> Option<Option<Scalar>> {
        let index = self.list.iter().position(|(name, _)| *name == field)?;
        Some(self.list.remove(index).1)
    }

    pub(super) fn put(&mut self, field: &'static str, value: impl Into<Scalar>) {
        self.list.retain(|(name, _)| *name != field);
        self.list.push((field, Some(value.into())));
    }

    pub(super) fn into_ops(self) -> Vec<Op> {
        self.list
            .into_iter()
            .map(|(field, value)| Op { target: Target::Field(field.to_owned()), value })
            .collect()
    }

    /// Checks what must hold between fields once this is written over `before`.
    pub(super) fn check_together(
        &mut self,
        kind: Kind,
        before: Option<&DocumentView>,
    ) -> Result<(), CommandError> {
        let after = |edits: &Self, field: &str| match edits.list.iter().find(|(name, _)| *name == field) {
            Some((_, value)) => value.as_ref().map(Scalar::to_text).unwrap_or_default(),
            None => before.map(|view| view.text(field)).unwrap_or_default(),
        };
        for alternatives in needed(kind) {
            if alternatives.iter().all(|field| after(self, field).is_empty()) {
                let label =
                    |field: &&str| kind.spec().and_then(|spec| spec.field(field)).map_or("", |f| f.label);
                if alternatives[0] == "name" {
                    return Err(CommandError::from(CheckError::name_missing(label(&"name"))).on("name"));
                }
                let labels: Vec<&str> = alternatives.iter().map(label).collect();
                let message = RegisterMessage::FieldMissing {
                    label: Label { en: &alternatives.join(" / "), zh: &labels.join(" / ") },
                };
                let error = CommandError::failed("field-missing", &Message::Register(message));
                return Err(error.on(alternatives[0]));
            }
        }
        for (from, to) in [("from", "to"), ("arrived_on", "leaves_on")] {
            let (start, end) = (after(self, from), after(self, to));
            if !start.is_empty() && !end.is_empty() && end < start {
                let message = RegisterMessage::EndsBeforeItBegins { from: &start, to: &end };
                return Err(CommandError::failed("date-order", &Message::Register(message)));
            }
        }
        if !after(self, "care").is_empty() && after(self, "consent").is_empty() {
            return Err(CommandError::failed(
                "consent-missing",
                &Message::Register(RegisterMessage::ConsentMissing),
            ));
        }
        if kind == Kind::PERSON && (self.has("birth_date") || self.has("id_number")) {
            let (number, birth) = (after(self, "id_number"), after(self, "birth_date"));
            let told = IdNumber::parse(&number).ok().map(String::from);
            let told = told.as_deref().and_then(|n| n.get(6..14)).unwrap_or_default().to_owned();
            if !told.is_empty() && !birth.is_empty() && birth.replace('-', "") != told {
                let message = RegisterMessage::BirthDisagrees { birth: &birth, told: &told };
                return Err(CommandError::failed("birth-disagrees-with-id", &Message::Register(message)));
            }
        }
        if kind == Kind::PERSON
            && (self.has("sex") || self.has("id_number"))
            && let Ok(number) = IdNumber::parse(&after(self, "id_number"))
            && let Ok(sex) = Sex::parse(&after(self, "sex"))
        {
            id_number::agree_on_sex(&number, sex)?;
        }
        if self.has("longitude") || self.has("latitude") {
            let (longitude, latitude) = (after(self, "longitude"), after(self, "latitude"));
            match (longitude.parse(), latitude.parse()) {
                (Ok(longitude), Ok(latitude)) => {
                    Coordinates::new(longitude, latitude).map_err(CheckError::from)?;
                    if after(self, "datum").is_empty() {
                        self.put("datum", "WGS-84");
                    }
                }
                _ if longitude.is_empty() && latitude.is_empty() => {}
                _ => {
                    return Err(CommandError::failed(
                        "coordinates-incomplete",
                        &Message::CoordinatesIncomplete,
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What a record of a kind must say: of each group one.
pub(super) fn needed(kind: Kind) -> &'static [&'static [&'static str]] {
    match kind {
        // 境外人员 may have a foreign name alone.
        Kind::PERSON => &[&["name", "foreign_name"]],
        Kind::PLACE | Kind::ENTERPRISE => &[&["name"]],
        Kind::HOUSEHOLD => &[&["household_number", "head", "address"]],
        Kind::DWELLING => &[&["address"]],
        Kind::HOUSE => &[&["house_number", "address"]],
        Kind::RESIDENCY => &[&["person"], &["dwelling"], &["from"]],
        Kind::TENANCY => &[&["person"], &["house"], &["from"]],
        _ => &[],
    }
}

/// Reads values that need more than themselves: the code tables, other documents, the day.
pub(super) struct Reader<'a> {
    replica: &'a Replica,
    /// Read when the first value needs them: most name no code.
    codes: OnceCell<Codes>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(replica: &'a Replica) -> Self {
        Self { replica, codes: OnceCell::new() }
    }

    fn codes(&self) -> Result<&Codes, CommandError> {
        if let Some(codes) = self.codes.get() {
            return Ok(codes);
        }
        let codes = units::codes(self.replica)?;
        Ok(self.codes.get_or_init(|| codes))
    }

    /// The value in its normal form.
    pub(super) fn check(
        &self,
        kind: Kind,
        field: &str,
        typed: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Scalar, CommandError> {
        let name = kind.spec().and_then(|spec| spec.field(field)).map_or(field, |spec| spec.name);
        self.read(kind, field, typed, warnings).map_err(|error| error.on(name))
    }

    /// A division by its code of 6, 9 or 12 digits, or a village of this street by its name.
    fn division(&self, typed: &str) -> Result<Option<String>, CommandError> {
        let code = text::compact(typed);
        if matches!(code.len(), 6 | 9 | 12)
            && code.bytes().all(|byte| byte.is_ascii_digit())
            && !code.starts_with('0')
        {
            return Ok(Some(format!("{code:0<12}")));
        }
        Ok(match units::Units::load(self.replica)?.named(typed).map(|meant| meant.scope) {
            Ok(Scope::Grid(code)) if !code.contains('-') => Some(code),
            _ => None,
        })
    }

    /// Whether a day is no later than today.
    fn is_past(&self, label: Label<'_>, day: &str) -> Result<(), CommandError> {
        if day <= instant::day(self.replica.now_ms()).as_str() {
            return Ok(());
        }
        let message = RegisterMessage::DateAhead { label, typed: day };
        Err(CommandError::failed("date-ahead", &Message::Register(message)))
    }

    fn read(
        &self,
        kind: Kind,
        field: &str,
        typed: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Scalar, CommandError> {
        let Some(spec) = kind.spec().and_then(|spec| spec.field(field)) else {
            return check(kind, field, typed, warnings);
        };
        let (label, shown) = (Label::from(spec), scrub(typed));
        let failed =
            |code, message: RegisterMessage<'_>| Err(CommandError::failed(code, &Message::Register(message)));
        Ok(match spec.form {
            Form::Text => {
                let value = check(kind, field, typed, warnings).map_err(|error| error.of_field(label.zh))?;
                let birth = match field {
                    "birth_date" => value.as_str(),
                    "id_number" => value.as_str().and_then(|number| number.get(6..14)),
                    _ => None,
                };
                if let Some(Ok(birth)) = birth.map(Date::parse) {
                    self.is_past(label, &birth.to_string())?;
                }
                value
            }
            Form::Date => Date::parse(typed)
                .map_err(|error| CommandError::from(CheckError::from(error)).of_field(label.zh))?
                .to_string()
                .into(),
            Form::Count => match text::compact(typed).parse::<i64>() {
                Ok(count) if (0..=STAFF_MAX).contains(&count) => Scalar::Int(count),
                _ => {
                    return failed(
                        "value-unreadable",
                        RegisterMessage::CountUnreadable { label, typed: &shown },
                    );
                }
            },
            Form::Area => match text::compact(typed).parse::<f64>() {
                Ok(area) if area.is_finite() && (0.0..=AREA_MAX).contains(&area) => Scalar::F64(area),
                _ => {
                    return failed(
                        "value-unreadable",
                        RegisterMessage::AreaUnreadable { label, typed: &shown },
                    );
                }
            },
            Form::Flag => match text::compact(typed).to_lowercase().as_str() {
                "是" | "有" | "true" | "yes" | "y" | "1" => Scalar::Bool(true),
                "否" | "无" | "false" | "no" | "n" | "0" => Scalar::Bool(false),
                _ => {
                    return failed(
                        "value-unreadable",
                        RegisterMessage::FlagUnreadable { label, typed: &shown },
                    );
                }
            },
            Form::DocumentNumber => {
                let number = text::compact(typed).to_uppercase();
                let plain = number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'/');
                if !plain || !(4..=32).contains(&number.len()) {
                    let message = RegisterMessage::DocumentNumber { label, typed: &shown };
                    return failed("document-number", message);
                }
                number.into()
            }
            Form::Division => match self.division(typed)? {
                Some(code) => code.into(),
                None => {
                    return failed("division", RegisterMessage::DivisionUnreadable { label, typed: &shown });
                }
            },
            Form::Code(table) => {
                let found = self
                    .codes()?
                    .table(table)
                    .map(|table| (table.read(typed), table.near(typed, ALLOWED_MAX)));
                match found {
                    Some((Some(code), _)) => code.into(),
                    found => {
                        let allowed = found.map(|(_, allowed)| allowed).unwrap_or_default();
                        let message =
                            RegisterMessage::CodeUnknown { label, typed: &shown, allowed: &allowed, table };
                        return failed("code-unknown", message);
                    }
                }
            }
            Form::Link(kinds) => {
                let target = key::resolve(self.replica, kinds, typed, None);
                target.map_err(|error| error.of_field(label.zh))?.view.id.to_string().into()
            }
            Form::Consent => {
                let unreadable =
                    || failed("consent-unreadable", RegisterMessage::ConsentForm { typed: &shown });
                let Some((day, text)) = typed.split_once(['/', '／', ' ']) else { return unreadable() };
                let day = Date::parse(day)
                    .map_err(|error| CommandError::from(CheckError::from(error)).of_field(label.zh))?
                    .to_string();
                self.is_past(label, &day)?;
                let text = text::free_text(text);
                if text.is_empty() {
                    return unreadable();
                }
                bounded(format!("{day}/{text}"))?.into()
            }
        })
    }
}

/// The value in its normal form, if it needs nothing but itself.
pub(super) fn check(
    kind: Kind,
    field: &str,
    typed: &str,
    warnings: &mut Vec<String>,
) -> Result<Scalar, CommandError> {
    let failed = |what: &Message<'_>| CommandError::failed("value-unreadable", what);
    Ok(match field {
        "id_number" => String::from(IdNumber::parse(typed).map_err(CheckError::from)?).into(),
        "credit_code" => {
            let code = CreditCode::parse(typed).map_err(CheckError::from)?;
            warnings.extend(code.warning().map(|warning| warning.to_string()));
            String::from(code).into()
        }
        "phone" => String::from(Phone::parse(typed).map_err(CheckError::from)?).into(),
        "sex" => Sex::parse(typed).map_err(CheckError::from)?.code().into(),
        "birth_date" | "registered_on" => Date::parse(typed).map_err(CheckError::from)?.to_string().into(),
        "kind" if kind == Kind::PERSON => resident_kind(typed)
            .ok_or_else(|| failed(&Message::KindUnreadable { typed: &scrub(typed) }))?
            .code()
            .into(),
        "name" => {
            let name = text::name(typed);
            if name.is_empty() {
                return Err(CheckError::name_missing("姓名(名称)").into());
            }
            bounded(name)?.into()
        }
        "staff_count" => match text::compact(typed).parse::<i64>() {
            Ok(count) if (0..=STAFF_MAX).contains(&count) => Scalar::Int(count),
            _ => return Err(failed(&Message::StaffUnreadable { typed: &scrub(typed) })),
        },
        "longitude" | "latitude" => match text::compact(typed).parse::<f64>() {
            Ok(degrees) if degrees.is_finite() => Scalar::F64(degrees),
            _ => return Err(failed(&Message::DegreesUnreadable { typed: &scrub(typed) })),
        },
        "datum" => match text::compact(typed).to_ascii_uppercase().replace('-', "").as_str() {
            "WGS84" => "WGS-84".into(),
            "CGCS2000" => "CGCS2000".into(),
            _ => return Err(failed(&Message::DatumUnreadable { typed: &scrub(typed) })),
        },
        "level" => match text::compact(typed).as_str() {
            level @ ("1" | "2" | "3" | "4") => level.into(),
            _ => return Err(failed(&Message::LevelUnreadable { typed: &scrub(typed) })),
        },
        _ => bounded(text::free_text(typed))?.into(),
    })
}

/// A text of a length that a field takes.
pub(super) fn bounded(text: String) -> Result<String, CommandError> {
    let len = text.chars().count();
    if len > TEXT_CHARS_MAX {
        return Err(CommandError::failed(
            "text-too-long",
            &Message::TextTooLong { len, max: TEXT_CHARS_MAX },
        ));
    }
    Ok(text)
}

pub(super) fn resident_kind(typed: &str) -> Option<ResidentKind> {
    let typed = text::compact(typed).to_lowercase();
    [ResidentKind::Registered, ResidentKind::Floating, ResidentKind::Overseas].into_iter().find(|kind| {
        let name = kind.name_zh();
        typed == kind.code() || typed == name || name.get(..6) == Some(typed.as_str())
    })
}
