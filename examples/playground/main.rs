//! The playground: ram-operator at work on a real Kubernetes API and an emulated RAM, without an account and without containers.
//!
//! ```text
//! cargo run --example playground              a tour, then a cluster to play with until Ctrl-C
//! cargo run --example playground -- --once    the tour only; exit status 0 says that all of it went well
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    reason = "shares code with the tests"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod follow;
mod stage;
mod tour;
mod voice;

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ram_operator::telemetry;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::stage::Stage;
use crate::support::cluster::say;
use crate::support::ram::{Emulator, Options};
use crate::tour::Tour;
use crate::voice::Voice;

/// What went wrong, in words that say what to do.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Shows ram-operator at work on an emulated RAM: no Alibaba Cloud account, no containers.
///
/// Without flags it runs on a Kubernetes control plane of its own, with the chart installed by helm. The first run builds that control
/// plane from source, which needs Go and takes minutes; later runs start it in seconds. On a terminal it stays until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "playground")]
struct Flags {
    /// End after the tour, also on a terminal
    #[arg(long)]
    once: bool,

    /// Play on the cluster of this kubeconfig, never on your default one
    ///
    /// It gets the CRDs and a namespace ram-operator, which stay, and the objects of examples/quickstart.yaml, which go at the end. The
    /// operator runs in this process, with the kubeconfig's rights; kubectl is taken from PATH. A cluster with RamAccounts is refused.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match play(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("playground: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn play(flags: &Flags) -> Outcome<()> {
    let voice = Voice::new();
    let log = write_logs()?;
    // kube and reqwest share this one provider; an error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stage = match &flags.kubeconfig {
        Some(file) => Stage::given(file, flags.context.as_deref(), voice).await?,
        None => Stage::own(voice).await?,
    };
    let ram = Emulator::start(Options::default()).await;
    voice.tell(&format!("the emulated RAM is at {}, account {}", ram.url(), ram.account_id()));
    let operator = stage.operator();
    voice.tell(&format!("ram-operator runs in this process; its log is {}", log.display()));

    let stays = !flags.once && io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut tour = Tour::new(&stage, &ram, voice)?;
    let shown = tour.run(stays).await;
    // A cluster of our own goes as a whole.
    let left = if stage.is_own() { Ok(()) } else { tour.leave().await };
    if shown.is_ok() && left.is_ok() {
        operator.stop().await;
    }
    shown.and(left).map_err(|error| format!("{error}\nThe operator's log says more: {}", log.display()).into())
}

/// The operator's log, in a file: the terminal is for the tour.
fn write_logs() -> Outcome<PathBuf> {
    let file = tempfile::Builder::new().prefix("ram-operator-playground-").suffix(".log").tempfile();
    let file =
        file.map_err(|error| format!("cannot write a log: {error}. Set TMPDIR to a folder that can be written"))?;
    let (file, path) = file.keep()?;
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(file);
    tracing_subscriber::registry().with(layer.with_filter(telemetry::filter("info")?)).try_init()?;
    Ok(path)
}
