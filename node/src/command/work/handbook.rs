//! Handbooks: a text of any sensible length, in pages, to be read without a network.

use std::path::Path;

use wangge_model::document::{Op, Target as OpTarget};
use wangge_model::identity::DocId;
use wangge_model::work::RecordSpec;

use super::line::WorkCommand;
use super::street::Street;
use super::{Draft, resolve, target};
use crate::command::{Answer, CommandError, file};
use crate::replica::{Edit, Replica};
use crate::text::{Message, WorkText};

/// Longest handbook, in bytes.
const HANDBOOK_LEN_BYTES_MAX: u64 = 1024 * 1024;
/// Longest page, in bytes: a transaction takes three.
const PAGE_LEN_BYTES_MAX: usize = 15_000;

/// The text in pages that end at a line, or where they must.
fn pages(text: &str) -> Vec<String> {
    let mut pages = vec![String::new()];
    let mut push = |piece: &str| {
        if let Some(page) = pages.last_mut() {
            if page.len() + piece.len() <= PAGE_LEN_BYTES_MAX {
                page.push_str(piece);
            } else {
                pages.push(piece.to_owned());
            }
        }
    };
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while rest.len() > PAGE_LEN_BYTES_MAX {
            let mut at = PAGE_LEN_BYTES_MAX;
            while !rest.is_char_boundary(at) {
                at -= 1;
            }
            push(&rest[..at]);
            rest = &rest[at..];
        }
        push(rest);
    }
    pages.retain(|page| !page.is_empty());
    pages
}

pub(super) fn add(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let at_ms = resolve::happened_at(replica, command.get("at"))?;
    wangge_model::work::draft::check_role(spec, spec.opens, street.actor()?.role)?;
    let Some(path) = command.get("file") else {
        return Err(CommandError::usage("file-missing", &Message::Work(WorkText::FileMissing)));
    };
    let text = file::read_text(Path::new(path), HANDBOOK_LEN_BYTES_MAX)?;
    let pages = pages(text.trim_end());
    if pages.is_empty() {
        return Err(CommandError::failed("text-missing", &Message::TextMissing));
    }
    let Draft { scope, doc, ops } = super::draft(replica, street, spec, command)?;
    // The pages first: a handbook that can be found is whole.
    let mut number = 0;
    for part in pages.chunks(3) {
        let entries = part.iter().map(|page| {
            number += 1;
            page_op(number, page)
        });
        let edit = Edit { doc, kind: spec.kind, ops: entries.collect() };
        replica.commit(&scope, vec![edit], at_ms)?;
    }
    replica.commit(&scope, vec![Edit { doc, kind: spec.kind, ops }], at_ms)?;
    super::answer(replica, street, spec, &scope, &doc, spec.opens)
}

fn page_op(number: usize, page: &str) -> Op {
    let target = OpTarget::Entry { container: "extra".to_owned(), key: format!("{number:04}") };
    Op { target, value: Some(page.into()) }
}

pub(super) fn show(
    replica: &Replica,
    street: &Street,
    spec: &'static RecordSpec,
    command: &WorkCommand,
) -> Result<Answer, CommandError> {
    let found = target(replica, spec, command)?;
    let doc: DocId = found.view.id;
    let pages = found.view.sets.get("extra").into_iter().flatten();
    let text: String = pages.map(|(_, page)| page.shown.value.to_text()).collect();
    let mut answer = super::show(replica, street, spec, command)?;
    if let Some(object) = answer.json.as_object_mut() {
        object.remove("sets");
    }
    answer.json["text"] = text.as_str().into();
    answer.text = format!("{}\n\n{text}", answer.text);
    tracing::debug!(%doc, "a handbook was read");
    Ok(answer)
}
