//! What values a field takes.

use super::Kind;

/// What values a field takes. Commands check it; the wire takes any scalar, as a newer version may know more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Any text.
    Text,
    /// A day, ISO 8601.
    Date,
    /// A whole number of persons or things.
    Count,
    /// Square metres.
    Area,
    /// Yes or no.
    Flag,
    /// The number of a document that is no Chinese ID: letters and digits.
    DocumentNumber,
    /// A division code of 12 digits (统计用区划代码): province, city, county, then town and village or zeros.
    Division,
    /// A code of the table of that name: see [`crate::codes`].
    Code(&'static str),
    /// The id of a document of one of these kinds.
    Link(&'static [Kind]),
    /// When and how a person agreed: `DATE/text`.
    Consent,
}
