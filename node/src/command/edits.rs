//! `field=value` as a person types it: known fields only, each value checked and in its normal form.

use wangge_ledger::ResidentKind;
use wangge_model::checks::{
    CheckError, Coordinates, CreditCode, Date, IdNumber, Phone, Sex, id_number, text,
};
use wangge_model::document::{DocumentView, Op, Scalar, Target};
use wangge_model::schema::{CLOSED, GENERATION, Kind};

use super::CommandError;
use crate::text::{Message, scrub};

/// Longest text typed into one field, in characters.
const TEXT_CHARS_MAX: usize = 2_000;
/// Most people that one place can employ; more is a typing error.
const STAFF_MAX: i64 = 1_000_000;

/// What to write to the fields of one document.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(&'static str, Option<Scalar>)>,
    /// What was taken although something about it is unusual.
    pub(super) warnings: Vec<String>,
}

/// Fields that a person may set, in the order in which they are shown.
pub(super) fn settable(kind: Kind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let fields = kind.spec().map(|spec| spec.fields).unwrap_or_default();
    fields
        .iter()
        .map(|field| (field.name, field.label))
        .filter(|(name, _)| ![CLOSED, GENERATION].contains(name))
}

fn known(kind: Kind, typed: &str) -> Result<&'static str, CommandError> {
    let typed = typed.trim();
    if let Some((name, _)) = settable(kind).find(|(name, label)| *name == typed || *label == typed) {
        return Ok(name);
    }
    let fields: Vec<String> = settable(kind).map(|(name, label)| format!("{name} ({label})")).collect();
    let (typed, fields) = (scrub(typed), fields.join("、"));
    Err(CommandError::usage("field-unknown", &Message::FieldUnknown { typed: &typed, fields: &fields }))
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
    pub(super) fn parse(kind: Kind, typed: &[String]) -> Result<Self, CommandError> {
        let mut edits = Self::default();
        for typed in typed {
            let Some((field, value)) = typed.split_once(['=', '＝']) else {
                let typed = scrub(typed);
                return Err(CommandError::usage("no-equals-sign", &Message::NoEqualsSign { typed: &typed }));
            };
            let field = known(kind, field)?;
            if edits.has(field) {
                return Err(CommandError::usage("field-twice", &Message::FieldTwice { field }));
            }
            let value = value.trim();
            let scalar =
                if value.is_empty() { None } else { Some(check(kind, field, value, &mut edits.warnings)?) };
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
        if after(self, "name").is_empty() {
            let label = kind.spec().and_then(|spec| spec.field("name")).map_or("", |field| field.label);
            return Err(CheckError::name_missing(label).into());
        }
        if kind == Kind::PERSON
            && (self.has("sex") || self.has("id_number"))
            && let Ok(number) = IdNumber::parse(&after(self, "id_number"))
            && let Ok(sex) = Sex::parse(&after(self, "sex"))
        {
            id_number::agree_on_sex(&number, sex)?;
        }
        if kind == Kind::PLACE && (self.has("longitude") || self.has("latitude")) {
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

/// The value in its normal form.
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
