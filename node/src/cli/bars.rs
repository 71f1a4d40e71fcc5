//! Progress bars on a terminal.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::command::Progress;

/// One bar at a time, for the work that is under way.
#[derive(Default)]
pub(super) struct Bars(Mutex<Option<(String, ProgressBar)>>);

impl Bars {
    /// Takes the bar away, so that the answer stands alone.
    pub(super) fn clear(&self) {
        if let Some((_, bar)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(label: &str, total: u64) -> ProgressBar {
    let template = if total == 0 { "{msg} {spinner} {pos}" } else { "{msg} [{bar:30}] {pos}/{len}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr());
    bar.with_style(style).with_message(label.to_owned())
}

impl Progress for Bars {
    fn step(&self, label: &str, done: u64, total: u64) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(known, _)| known != label) {
            if let Some((_, bar)) = shown.take() {
                bar.finish_and_clear();
            }
            *shown = Some((label.to_owned(), bar(label, total)));
        }
        if let Some((_, bar)) = shown.as_ref() {
            bar.set_position(done);
        }
    }
}
