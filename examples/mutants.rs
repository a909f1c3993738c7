//! Breaks the plan on purpose, one line at a time, and expects the exhaustive check to notice: `cargo run --example mutants`.
//!
//! Words after `--` choose mutants whose names contain one of them. The list is tests/proof/mutants.txt.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::pedantic
)]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const LIST: &str = "tests/proof/mutants.txt";
/// A mutant that runs longer than this was not noticed.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// One change to one file.
#[derive(Debug, Default)]
struct Mutant {
    name: String,
    file: String,
    from: String,
    to: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Caught,
    Survived,
    DoesNotCompile,
    TooLong,
    /// Its text does not occur exactly once.
    OutOfDate,
}

fn main() -> ExitCode {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tree = root.join("target/mutants/tree");
    // What has gone from the project since the last run must not be there either.
    if tree.exists() {
        fs::remove_dir_all(&tree).expect("the old copy goes");
    }
    copy(&root, &tree);
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let all = read(&fs::read_to_string(root.join(LIST)).expect("the list of mutants"));
    let wanted = |mutant: &Mutant| chosen.is_empty() || chosen.iter().any(|word| mutant.name.contains(word.as_str()));
    let mutants: Vec<Mutant> = all.into_iter().filter(wanted).collect();

    let untouched = try_tests(&root, &tree, Depth::Usual);
    if untouched != Fate::Survived {
        println!("without any mutant the tests should pass: {untouched:?}");
        return ExitCode::FAILURE;
    }
    let mut failed = 0;
    for mutant in &mutants {
        let begun = Instant::now();
        let fate = try_mutant(&root, &tree, mutant);
        failed += usize::from(fate != Fate::Caught);
        let fate = format!("{fate:?}");
        println!("{fate:<15} {:>5}s  {:<28} {}", begun.elapsed().as_secs(), mutant.file, mutant.name);
    }
    println!("{} mutants, {} caught", mutants.len(), mutants.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Blocks of `name:`, `file:`, `from:` and `to:`, one line each.
fn read(text: &str) -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (field, value) = line.split_once(':').expect("a field and its value");
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        if field == "name" {
            mutants.push(Mutant { name: value, ..Mutant::default() });
            continue;
        }
        let mutant = mutants.last_mut().expect("a mutant begins with its name");
        match field {
            "file" => mutant.file = value,
            "from" => mutant.from = value,
            "to" => mutant.to = value,
            other => panic!("{other} is no field of a mutant"),
        }
    }
    mutants
}

/// A copy of the project as git lists it.
fn copy(root: &Path, tree: &Path) {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git ls-files");
    assert!(listed.status.success(), "git ls-files failed");
    for name in String::from_utf8(listed.stdout).expect("names in UTF-8").lines() {
        let (from, to) = (root.join(name), tree.join(name));
        if !from.is_file() {
            continue;
        }
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory for the copy");
        fs::copy(&from, &to).expect("a copy");
    }
}

fn try_mutant(root: &Path, tree: &Path, mutant: &Mutant) -> Fate {
    let path = tree.join("src/plan").join(&mutant.file);
    let text = fs::read_to_string(&path).expect("a file of the plan");
    if text.matches(&mutant.from).count() != 1 {
        return Fate::OutOfDate;
    }
    fs::write(&path, text.replace(&mutant.from, &mutant.to)).expect("the mutant is written");
    let mut fate = try_tests(root, tree, Depth::Usual);
    if fate == Fate::Survived {
        fate = try_tests(root, tree, Depth::Deep);
    }
    fs::write(&path, text).expect("the mutant is taken back");
    fate
}

/// How far the adversary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Usual,
    /// One move more, as `PROOF=long`: some mutants take three moves to do harm. Optimized, since there are many more states.
    Deep,
}

impl Depth {
    fn profile(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &[],
            Self::Deep => &["--release"],
        }
    }

    fn proof(self) -> &'static str {
        match self {
            Self::Usual => "mutant",
            Self::Deep => "deep-mutant",
        }
    }
}

fn cargo(root: &Path, tree: &Path, depth: Depth, last: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(["test", "--offline", "--test", "proof"]).args(depth.profile()).args(last).current_dir(tree);
    command.env("CARGO_TARGET_DIR", root.join("target/mutants/target")).env("PROOF", depth.proof());
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}

fn try_tests(root: &Path, tree: &Path, depth: Depth) -> Fate {
    let built = cargo(root, tree, depth, &["--no-run"]).status().expect("cargo runs");
    if !built.success() {
        return Fate::DoesNotCompile;
    }
    let mut tests = cargo(root, tree, depth, &["--", "--skip", "the_model_of_ram"]).spawn().expect("cargo runs");
    let begun = Instant::now();
    loop {
        match tests.try_wait().expect("the tests are there") {
            Some(status) if status.success() => return Fate::Survived,
            Some(_) => return Fate::Caught,
            None if begun.elapsed() > PATIENCE => {
                // cargo and the tests below it are a group of their own.
                let group = format!("-{}", tests.id());
                Command::new("kill").args(["--", &group]).status().expect("the tests can be stopped");
                tests.wait().expect("the tests end");
                return Fate::TooLong;
            }
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
