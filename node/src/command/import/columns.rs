//! Columns of a ledger beyond those that every ledger has: read where their heading is a field of the register, named
//! where it is not. A value that its code table does not know is warned of and kept as it stood.

use wangge_ledger::Warning;
use wangge_model::document::Scalar;
use wangge_model::schema::{Form, Kind, NotCollected, not_collected};

use super::row::{Incoming, Slot};
use crate::command::CommandError;
use crate::command::edits::{self, Reader};
use crate::replica::Replica;
use crate::text::{Label, Message, RegisterMessage};

/// Headings that say nothing of the resident or the place.
const SERIAL: [&str; 6] = ["序号", "编号", "序列", "No", "No.", "NO"];
/// Characters of a heading under which a value is kept.
const KEY_CHARS_MAX: usize = 30;

/// What each column of a ledger is.
pub(super) struct Columns<'a> {
    reader: Reader<'a>,
    kind: Kind,
    headings: Vec<String>,
    /// Heading -> field, `None` if it is read by nobody.
    fields: Vec<Option<(&'static str, &'static str)>>,
}

impl<'a> Columns<'a> {
    /// Finds the fields, and says which columns are left out and why.
    pub(super) fn of(
        replica: &'a Replica,
        kind: Kind,
        headings: &[String],
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let mut fields = Vec::with_capacity(headings.len());
        for heading in headings {
            let field = edits::column(kind, heading);
            if field.is_none() && !SERIAL.contains(&heading.as_str()) {
                warnings.push(left_out(kind, heading));
            }
            fields.push(field);
        }
        Self { reader: Reader::new(replica), kind, headings: headings.to_vec(), fields }
    }

    /// Reads what a row has in them.
    pub(super) fn read(
        &self,
        others: Vec<(usize, String)>,
        incoming: &mut Incoming,
        warnings: &mut Vec<Warning>,
    ) {
        for (place, typed) in others {
            let Some(Some((field, label))) = self.fields.get(place) else { continue };
            // A second column of one field, as a second phone: kept beside it.
            if incoming.values.iter().any(|(slot, _)| *slot == Slot::Field(field)) {
                let key: String = self
                    .headings
                    .get(place)
                    .into_iter()
                    .flat_map(|h| h.chars())
                    .take(KEY_CHARS_MAX)
                    .collect();
                incoming.values.push((Slot::Extra(key.into()), typed.into()));
                continue;
            }
            let read = self.reader.check(self.kind, field, &typed, &mut Vec::new());
            match read.and_then(|value| agrees(incoming, field, value)) {
                Ok(value) => incoming.values.push((Slot::Field(field), value)),
                Err(error) => {
                    let key = format!("{label}(原文)");
                    let kept = Message::Register(RegisterMessage::KeptAsWritten { key: &key });
                    warnings.push(Warning {
                        sheet: String::new(),
                        row: incoming.row,
                        code: "value-kept",
                        message: format!("{} {}", error.message, kept.both()).replace('\n', " "),
                    });
                    incoming.values.push((Slot::Extra(key.into()), typed.into()));
                }
            }
        }
    }
}

/// The value, if the row's ID number says nothing else.
fn agrees(incoming: &Incoming, field: &str, value: Scalar) -> Result<Scalar, CommandError> {
    let told = incoming.number.as_deref().and_then(|number| number.get(6..14)).unwrap_or_default();
    let birth = value.to_text();
    if field == "birth_date" && !told.is_empty() && birth.replace('-', "") != told {
        let message = RegisterMessage::BirthDisagrees { birth: &birth, told };
        return Err(CommandError::failed("birth-disagrees-with-id", &Message::Register(message)));
    }
    Ok(value)
}

/// A column that nobody reads.
fn left_out(kind: Kind, heading: &str) -> Warning {
    let spec = kind.spec().and_then(|spec| spec.fields.iter().find(|field| field.label == heading));
    let by_consent = spec.is_some_and(|field| matches!(field.form, Form::Consent) || field.name == "care");
    let message = match not_collected(heading) {
        Some(NotCollected { reason_zh, reason_en, .. }) => {
            RegisterMessage::ColumnIgnored { column: heading, reason_zh, reason_en }
        }
        None if by_consent => RegisterMessage::ColumnByConsent { column: heading },
        None => RegisterMessage::ColumnUnknown { label: Label { en: "", zh: heading } },
    };
    Warning {
        sheet: String::new(),
        row: 0,
        code: "column-ignored",
        message: Message::Register(message).both().replace('\n', " "),
    }
}
