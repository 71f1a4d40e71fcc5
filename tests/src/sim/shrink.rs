//! Making a failing run shorter: steps are left out as long as the same promise is still broken.

use super::{Outcome, Plan, Wrong, run};

/// A shorter plan that breaks the same promise, and how it ends. At most `runs_max` runs are tried.
pub fn shrink(plan: &Plan, wrong: Wrong, runs_max: usize) -> (Plan, Outcome) {
    let mut best = plan.clone();
    let mut outcome = run(&best, false);
    let mut runs = 1;
    let mut part = best.steps.len().div_ceil(2);
    while part > 0 && runs < runs_max {
        let mut shorter = false;
        let mut at = 0;
        while at < best.steps.len() && runs < runs_max {
            let mut tried = best.clone();
            let upto = (at + part).min(tried.steps.len());
            tried.steps.drain(at..upto);
            let ended = run(&tried, false);
            runs += 1;
            if ended.failure.as_ref().is_some_and(|failure| failure.wrong == wrong) {
                (best, outcome, shorter) = (tried, ended, true);
            } else {
                at = upto;
            }
        }
        if !shorter || part > best.steps.len() {
            part = if part == 1 && shorter { 1 } else { part / 2 };
        }
    }
    (best, outcome)
}
