//! Flags, the TLS provider, and what to do; everything else is in the library.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use ram_operator::clock::Clock;
use ram_operator::config::{self, Cli, Command, Import, Run, one_line};
use ram_operator::{api, import, least_policy, run, telemetry};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return fail(2, &one_line(&error)),
        Err(help) => return print(&help.to_string()),
    };
    let command =
        match cli.command.map_or_else(|| Run::try_parse_from(["run"]).map(|run| Command::Run(Box::new(run))), Ok) {
            Ok(command) => command,
            Err(error) => return fail(2, &one_line(&error)),
        };
    match command {
        Command::Run(flags) => operate(*flags),
        Command::Crds => match crds() {
            Ok(text) => print(&text),
            Err(error) => fail(1, &error),
        },
        Command::Policy(flags) => print(&least_policy::text(&least_policy::document(&flags))),
        Command::Import(flags) => read_ram(&flags),
    }
}

fn operate(flags: Run) -> ExitCode {
    if let Err(error) = telemetry::start(flags.log_format, &flags.log_level) {
        return fail(2, &error);
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => return fail(1, &why),
    };
    match runtime.block_on(run::operate(flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn read_ram(flags: &Import) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => return fail(1, &why),
    };
    // A reader that went away is no error of ours.
    let say = |line: &str| drop(writeln!(std::io::stderr(), "{line}"));
    match runtime.block_on(import::print(flags, config::environment(), Clock::system(), &say)) {
        Ok(text) => print(&text),
        Err(error) => fail(1, &error.to_string()),
    }
}

/// Threads, and the TLS provider that kube and reqwest share.
fn runtime() -> Result<Runtime, String> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err("another TLS provider was installed first; please report this".to_owned());
    }
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    threads.map_err(|error| format!("no threads to run on: {error}"))
}

fn crds() -> Result<String, String> {
    let mut text = String::new();
    for crd in api::crds().map_err(|error| error.to_string())? {
        text.push_str("---\n");
        text.push_str(&api::to_yaml(&crd).map_err(|error| error.to_string())?);
    }
    Ok(text)
}

fn print(text: &str) -> ExitCode {
    // A reader that went away is no error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(code: u8, why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "ram-operator: {why}");
    ExitCode::from(code)
}
