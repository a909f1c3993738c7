//! What the playground says, and when.

use std::io::{self, Write as _};
use std::time::Instant;

/// Tells lines with the time since the start.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    began: Instant,
}

impl Voice {
    /// The time runs from now.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// One line, with the time.
    pub fn tell(self, line: &str) {
        write(&format!("[{:>6.1}s] {line}\n", self.began.elapsed().as_secs_f64()));
    }

    /// Text as it is, set in.
    pub fn show(self, text: &str) {
        let lines: Vec<String> = text.trim_end().lines().map(|line| format!("    {line}\n")).collect();
        write(&lines.concat());
    }
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    // A reader that went away misses the rest; the tour goes on, since its exit status counts.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
