//! A program that ends when we end: also when we are interrupted, panic or get SIGKILL.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Error;

/// How long the whole control plane may take to start.
pub(super) const START_LIMIT: Duration = Duration::from_secs(120);

/// The shell script that watches over one program; its comments say how.
const KEEPER: &str = include_str!("keeper.sh");

/// How much of a log an error shows.
const TAIL_LINES: usize = 30;

/// A running program with a folder of its own. Dropping it stops the program, waits for its end and removes the folder.
pub(super) struct Process {
    name: &'static str,
    folder: PathBuf,
    keeper: Child,
}

impl Process {
    /// Starts `program` (its name, arguments and environment count) with its output in `folder`.
    pub(super) fn start(name: &'static str, folder: &Path, program: &Command) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("cannot create", folder))?;
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .arg(program.get_program())
            .args(program.get_args())
            // Close-on-exec, so nobody but us holds the other end.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal is for us; the keeper sees our end and stops its program in order.
            .process_group(0);
        for (variable, value) in program.get_envs() {
            match value {
                Some(value) => keeper.env(variable, value),
                None => keeper.env_remove(variable),
            };
        }
        let keeper = keeper.spawn().map_err(Error::io("cannot run `sh` for", folder))?;
        Ok(Self { name, folder: folder.to_owned(), keeper })
    }

    /// The status with which the program has ended.
    pub(super) fn exit_status(&self) -> Option<i32> {
        fs::read_to_string(self.folder.join("exit")).ok()?.trim().parse().ok()
    }

    /// The end of what the program has written.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.split_off(lines.len().saturating_sub(TAIL_LINES)).join("\n")
    }

    /// Fails when the program has ended, or when the start that `began` then takes too long.
    pub(super) fn still_starting(&self, began: Instant) -> Result<(), Error> {
        if let Some(status) = self.exit_status() {
            return Err(Error::Ended { name: self.name, status, log: self.log_tail() });
        }
        if began.elapsed() > START_LIMIT {
            return Err(Error::NotReady { name: self.name, log: self.log_tail() });
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Closes the pipe first, which tells the keeper to stop its program. No way to fail that could be mended here.
        let _ = self.keeper.wait();
    }
}
