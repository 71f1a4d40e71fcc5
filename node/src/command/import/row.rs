//! Rows of either ledger in one form.

use std::borrow::Cow;

use wangge_ledger::{Ledger, PlaceRow, Refusal, ResidentRow, Warning, read_places, read_residents};
use wangge_model::checks::Sex;
use wangge_model::document::{DocumentView, Register, Scalar, Target};
use wangge_model::schema::Kind;

use super::columns::Columns;
use super::{ImportArgs, ImportKind, LICENCE_NUMBER};
use crate::command::CommandError;
use crate::replica::Replica;

/// Where a value goes: a field, or an entry of the container `extra`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Slot {
    Field(&'static str),
    Extra(Cow<'static, str>),
}

impl Slot {
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Field(name) => Target::Field((*name).to_owned()),
            Self::Extra(key) => Target::Entry { container: "extra".to_owned(), key: key.to_string() },
        }
    }

    pub(super) fn register<'a>(&self, view: &'a DocumentView) -> Option<&'a Register> {
        match self {
            Self::Field(name) => view.fields.get(*name),
            Self::Extra(key) => view.sets.get("extra")?.get(key.as_ref()),
        }
    }
}

/// One row, whatever its ledger.
pub(super) struct Incoming {
    pub(super) row: u32,
    pub(super) unit_name: String,
    /// ID number or credit code.
    pub(super) number: Option<String>,
    /// Name and address of a place.
    pub(super) name_address: Option<(String, String)>,
    pub(super) values: Vec<(Slot, Scalar)>,
}

pub(super) fn text(values: &mut Vec<(Slot, Scalar)>, field: &'static str, value: Option<String>) {
    values.extend(value.map(|text| (Slot::Field(field), text.into())));
}

impl Incoming {
    fn resident(row: u32, resident: ResidentRow) -> Self {
        let mut values = vec![
            (Slot::Field("id_number"), resident.id_number.clone().into()),
            (Slot::Field("name"), resident.name.into()),
        ];
        text(&mut values, "sex", resident.sex.map(Sex::code).map(str::to_owned));
        text(&mut values, "kind", resident.kind.map(|kind| kind.code().to_owned()));
        text(&mut values, "phone", resident.phone);
        text(&mut values, "registered_address", resident.registered_address);
        text(&mut values, "current_address", resident.current_address);
        text(&mut values, "employer", resident.employer);
        text(&mut values, "registered_on", resident.registered_on);
        let (number, unit_name) = (Some(resident.id_number), resident.unit_name);
        Self { row, unit_name, number, name_address: None, values }
    }

    fn place(row: u32, place: PlaceRow) -> Self {
        let identity = (place.name.clone(), place.address.clone().unwrap_or_default());
        let mut values = vec![(Slot::Field("name"), place.name.into())];
        text(&mut values, "credit_code", place.credit_code.clone());
        text(&mut values, "category", place.category);
        text(&mut values, "address", place.address);
        text(&mut values, "manager", place.manager);
        text(&mut values, "phone", place.phone);
        let mut put = |field, value: Option<Scalar>| values.extend(value.map(|v| (Slot::Field(field), v)));
        put("staff_count", place.staff_count.map(|count| Scalar::Int(i64::from(count))));
        put("longitude", place.longitude.map(Scalar::F64));
        put("latitude", place.latitude.map(Scalar::F64));
        values.extend(place.licence_number.map(|text| (Slot::Extra(LICENCE_NUMBER.into()), text.into())));
        let number = place.credit_code;
        Self { row, unit_name: place.unit_name, number, name_address: Some(identity), values }
    }
}

/// A ledger with its rows in the common form.
pub(super) struct Sheet {
    pub(super) rows: u32,
    pub(super) incoming: Vec<Incoming>,
    pub(super) refused: Vec<Refusal>,
    pub(super) warnings: Vec<Warning>,
    pub(super) sheets: Vec<String>,
}

pub(super) fn read(replica: &Replica, args: &ImportArgs) -> Result<Sheet, CommandError> {
    fn sheet<R>(
        replica: &Replica,
        kind: Kind,
        ledger: Ledger<R>,
        incoming: impl Fn(u32, R) -> Incoming,
    ) -> Sheet {
        let Ledger { rows, accepted, others, headings, refused, mut warnings, sheets, .. } = ledger;
        let columns = Columns::of(replica, kind, &headings, &mut warnings);
        let incoming = accepted.into_iter().zip(others).map(|((row, record), others)| {
            let mut incoming = incoming(row, record);
            columns.read(others, &mut incoming, &mut warnings);
            incoming
        });
        let incoming = incoming.collect();
        Sheet { rows, incoming, refused, warnings, sheets }
    }
    // Whoever imports a folder of files must see which one it was.
    let named = |error| CommandError::from(error).about(&args.file);
    Ok(match args.kind {
        ImportKind::Residents => {
            sheet(replica, Kind::PERSON, read_residents(&args.file).map_err(named)?, Incoming::resident)
        }
        ImportKind::Places => {
            sheet(replica, Kind::PLACE, read_places(&args.file).map_err(named)?, Incoming::place)
        }
    })
}
