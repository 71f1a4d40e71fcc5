//! What the audience sees: steps with a bar on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The steps of the day, one under way.
pub(crate) struct Screen {
    bar: Option<ProgressBar>,
    of: usize,
    step: usize,
    began: Instant,
    pause: Duration,
    failures: Vec<String>,
}

impl Screen {
    /// A screen for `of` steps. Where a person looks on, steps are `pause` apart.
    pub(crate) fn new(of: usize, pause: Duration) -> Self {
        let watched = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let bar = watched.then(|| {
            let bar = ProgressBar::new(of as u64);
            let style = ProgressStyle::with_template("{spinner} [{bar:14}] {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let pause = if watched { pause } else { Duration::ZERO };
        Self { bar, of, step: 0, began: Instant::now(), pause, failures: Vec::new() }
    }

    /// The next step.
    pub(crate) async fn step(&mut self, zh: &str, en: &str) {
        if self.step > 0 {
            tokio::time::sleep(self.pause).await;
        }
        self.step += 1;
        let head = format!("[{:>2}/{}] {zh}", self.step, self.of);
        self.line(&format!("{head}\n        {en}  ({:.1} s)", self.began.elapsed().as_secs_f64()));
        if let Some(bar) = &self.bar {
            bar.set_position(self.step as u64 - 1);
            bar.set_message(zh.to_owned());
        }
    }

    /// Something that happened within a step.
    pub(crate) fn note(&self, zh: &str, en: &str) {
        self.line(&format!("        · {zh}\n          {en}"));
    }

    /// Words of a program, as it said them.
    pub(crate) fn quote(&self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.line(&format!("        | {line}"));
        }
    }

    /// Something that must hold.
    pub(crate) fn expect(&mut self, holds: bool, zh: &str, en: &str) {
        let mark = if holds { '✓' } else { '✗' };
        self.line(&format!("        {mark} {zh}\n          {en}"));
        if !holds {
            self.failures.push(format!("{zh} / {en}"));
        }
    }

    /// What should have held and did not.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A line by itself.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            // Not `println`: that drops lines when standard error is no terminal.
            Some(bar) => bar.suspend(|| print(text)),
            None => print(text),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn print(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}
