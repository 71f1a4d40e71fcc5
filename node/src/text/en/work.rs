//! Grid work and the centre.

use super::super::WorkText;

pub(super) fn say(text: &WorkText<'_>) -> String {
    match *text {
        WorkText::UnitUnknown { typed, known } => {
            format!("there is no unit {typed:?}; write grid:CODE, area:CODE, team:CODE, centre, street or a name, such as {known}")
        }
        WorkText::WorkerUnknown { typed } => format!("the roster has no worker {typed:?}: write a name or an id, or sync first"),
        WorkText::WorkerAmbiguous { typed } => format!("several workers are called {typed:?}: write an id"),
        WorkText::NotHeld { unit } => format!("this replica does not hold {unit}; nothing was saved"),
        WorkText::StreetIsTheCentres => {
            "only the centre (centre-clerk, centre-admin, street-leader) writes in the street's scope; nothing was saved".to_owned()
        }

        WorkText::Done { id, state, .. } => format!("saved {id}, now {state}"),
        WorkText::StateUnknown { typed, known } => format!("there is no state {typed:?}; use {known}"),
        WorkText::LimitUnreadable { typed } => format!("--limit takes a whole number, not {typed:?}"),
        WorkText::StateLabel => "state".to_owned(),
        WorkText::DueLabel => "due".to_owned(),
        WorkText::Overdue => "overdue".to_owned(),
        WorkText::VoidUnreadable => "void: written by a newer version, or damaged".to_owned(),
        WorkText::VoidRole => "void: the post does not allow it".to_owned(),
        WorkText::VoidWhose => "void: somebody else's matter".to_owned(),
        WorkText::VoidNoTrack => "void: the track was not turned on".to_owned(),
        WorkText::VoidState { state } => format!("void: not possible while {state}"),
    }
}
