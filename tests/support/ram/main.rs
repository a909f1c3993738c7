//! `ram-emulator`: the RAM emulator as a program, to try the operator without an Alibaba Cloud account.
#![allow(clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "mod.rs"]
mod ram;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;

use ram::{Emulator, Options};

/// Emulates Alibaba Cloud RAM, IMS and STS on one address. Everything is kept in memory.
#[derive(Parser)]
#[command(name = "ram-emulator")]
struct Flags {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9700")]
    listen: SocketAddr,
    /// Number of the emulated account [default: random]
    #[arg(long, value_name = "NUMBER")]
    account_id: Option<String>,
    /// Id of the account's first AccessKey [default: random]
    #[arg(long, value_name = "ID", requires = "access_key_secret")]
    access_key_id: Option<String>,
    /// Secret of the account's first AccessKey [default: random]
    #[arg(long, value_name = "SECRET", requires = "access_key_id")]
    access_key_secret: Option<String>,
    /// Enforce RAM's published call rates
    #[arg(long)]
    rates: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ram-emulator: {error}. Choose another address with --listen.");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> io::Result<()> {
    let mut options = Options {
        access_key: flags.access_key_id.zip(flags.access_key_secret),
        rates: flags.rates,
        ..Options::default()
    };
    if let Some(account_id) = flags.account_id {
        options.account_id = account_id;
    }
    let emulator = Emulator::listen(flags.listen, options).await?;
    let (id, secret) = emulator.access_key();
    let mut out = io::stdout();
    writeln!(
        out,
        "url: {}\naccount-id: {}\naccess-key-id: {id}\naccess-key-secret: {secret}",
        emulator.url(),
        emulator.account_id()
    )?;
    out.flush()?;
    tokio::signal::ctrl_c().await
}
