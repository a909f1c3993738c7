//! Files in the repository that are made from code: they must be what the code would make.
//! `UPDATE=1 cargo test generated` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use ram_operator::api;
use ram_operator::plan::Reason;
use ram_operator::plan::reason::Readiness;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn agree(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, wanted).expect("a file that can be written");
    }
    let stored = fs::read_to_string(path).unwrap_or_default();
    assert!(stored == wanted, "{} differs from the code; UPDATE=1 cargo test generated rewrites it", path.display());
}

#[test]
fn crds_in_the_repository_and_in_the_chart_are_the_types() {
    let mut names = Vec::new();
    for crd in api::crds().expect("CRDs") {
        let plural = crd.pointer("/spec/names/plural").and_then(|name| name.as_str()).expect("a plural").to_owned();
        let text = api::to_yaml(&crd).expect("YAML");
        for folder in ["crds", "charts/ram-operator/crd-files"] {
            agree(&root().join(folder).join(format!("{plural}.yaml")), &text);
        }
        names.push(format!("{plural}.yaml"));
    }
    names.sort();
    for folder in ["crds", "charts/ram-operator/crd-files"] {
        let mut files: Vec<_> = fs::read_dir(root().join(folder))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        files.sort();
        assert_eq!(files, names, "{folder} holds exactly the CRDs");
    }
}

#[test]
fn the_table_of_reasons_in_the_readme_is_the_code() {
    let mut table = String::from("| Reason | Ready | Meaning | What to do |\n|---|---|---|---|\n");
    for reason in Reason::ALL {
        let ready = match reason.readiness() {
            Readiness::Yes => "True",
            Readiness::No => "False",
            Readiness::Stalled => "False, Stalled",
            Readiness::Unknown => "Unknown",
        };
        let name = reason.name();
        table.push_str(&format!("| `{name}` | {ready} | {} | {} |\n", reason.meaning(), reason.advice()));
    }
    between("README.md", "reasons", &table);
}

/// The scenarios' sources: what they name in quotes they assert.
fn scenarios() -> String {
    fn within(folder: &Path) -> String {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries
            .map(|path| if path.is_dir() { within(&path) } else { fs::read_to_string(path).expect("a source") })
            .collect()
    }
    within(&root().join("tests/it"))
}

/// Met by unit tests of the plan alone: an emulator is one account.
const UNMET: [&str; 1] = ["PairOfAnotherAccount"];

#[test]
fn every_reason_and_every_event_is_met_by_a_scenario() {
    let text = scenarios();
    let readme = fs::read_to_string(root().join("README.md")).expect("a document");
    let (_, rest) = readme.split_once("reason that it did not have, and for ").expect("the list of events");
    let (events, _) = rest.split_once(".\n").expect("its end");
    let events = events.split('`').skip(1).step_by(2);
    let names = Reason::ALL.iter().map(|reason| reason.name()).chain(events);
    let names = names.filter(|name| !UNMET.contains(name));
    let missing: Vec<&str> = names.filter(|name| !text.contains(&format!("\"{name}\""))).collect();
    assert!(missing.is_empty(), "no test in tests/it names {missing:?}");
}

/// Compares, or rewrites, what stands between two marks of a document.
fn between(file: &str, mark: &str, wanted: &str) {
    let path = root().join(file);
    let text = fs::read_to_string(&path).expect("a document");
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (head, rest) = text.split_once(&begin).expect("the begin mark");
    let (_, tail) = rest.split_once(&end).expect("the end mark");
    agree(&path, &format!("{head}{begin}{wanted}{end}{tail}"));
}
