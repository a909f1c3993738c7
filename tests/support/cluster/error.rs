//! Why there is no control plane, and what to do about it.

use std::io;
use std::path::Path;

use super::process::START_LIMIT;

/// Why the control plane could not be found, built, started or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of the sources of the programs has them.
    #[error(
        "no control plane to run on: {0}. There are three ways to get one:\n  \
         1. set KUBEBUILDER_ASSETS to a folder with {names};\n  \
         2. let ~/.cache/ram-operator (or $XDG_CACHE_HOME/ram-operator) keep what an earlier run has built;\n  \
         3. install Go (https://go.dev/dl/, 1.26 or newer): the first run then builds them from source, in about ten minutes",
        names = super::binaries::NAMES.join(", ")
    )]
    NoBinaries(String),
    /// `go build` failed.
    #[error("`go build` of the control plane ended with status {status}; the end of its output:\n{log}")]
    Build {
        /// Its exit status.
        status: i32,
        /// The end of what it wrote.
        log: String,
    },
    /// One of the programs ended while the cluster started.
    #[error("{name} ended with status {status} while the control plane started; the end of its log:\n{log}")]
    Ended {
        /// The program.
        name: &'static str,
        /// Its exit status.
        status: i32,
        /// The end of its log.
        log: String,
    },
    /// One of the programs runs and does not answer in time.
    #[error(
        "{name} did not answer within {} s: is this machine overloaded? The end of its log:\n{log}",
        START_LIMIT.as_secs()
    )]
    NotReady {
        /// The program.
        name: &'static str,
        /// The end of its log.
        log: String,
    },
    /// The file system or the operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// No client could be made for the cluster.
    #[error("cannot make a client for the control plane: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// `kubectl apply` refused a document.
    #[error("kubectl apply: {0}")]
    Apply(String),
}

impl Error {
    /// Turns the failure of something done to `path` into an error that names both.
    pub(super) fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: format!("{doing} {}", path.display()), source }
    }

    pub(super) fn client(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Client(Box::new(source))
    }
}
