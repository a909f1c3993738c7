//! Who may use what: read from the `use` lines and paths of the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what must not stand in it.
const RULES: [(&str, &[&str]); 8] = [
    ("api", &["crate::ram", "crate::plan", "crate::controller", "tokio"]),
    ("ram", &["kube", "k8s_openapi", "crate::api", "crate::plan", "crate::controller"]),
    ("plan", PURE),
    ("controller", &["reqwest"]),
    // An import only reads: nothing with which the cluster or RAM is changed.
    (
        "import",
        &[
            "reqwest",
            "PostParams",
            "PatchParams",
            "DeleteParams",
            ".create_user(",
            ".create_group(",
            ".create_policy",
            ".create_login",
            ".update_",
            ".delete_",
            ".attach_",
            ".detach_",
            ".add_user",
            ".remove_user",
            ".set_",
            ".purge_",
            ".sign_mint",
        ],
    ),
    ("import/manifests.rs", PURE),
    ("import/fields.rs", PURE),
    ("import/names.rs", PURE),
];
/// What would make a decision depend on more than its arguments.
const PURE: &[&str] = &[
    "async fn",
    ".await",
    "tokio",
    "reqwest",
    "kube",
    "Timestamp::now",
    "crate::clock",
    "SystemTime",
    "uuid",
    "crate::controller",
];
const OTHERS: [&str; 6] = ["clock.rs", "digest.rs", "lease.rs", "server.rs", "telemetry.rs", "metrics.rs"];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|entry| files(&entry)).collect()
}

/// Code lines: without comments, which may speak of anything.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source");
    let numbered = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim().to_owned()));
    numbered.filter(|(_, line)| !line.starts_with("//")).collect()
}

fn names(line: &str, word: &str) -> bool {
    let crate_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
    if crate_name {
        line.contains(&format!("{word}::")) || line.contains(&format!("use {word};"))
    } else {
        line.contains(word)
    }
}

#[test]
fn modules_use_only_what_they_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for (module, forbidden) in RULES {
        for file in files(&src.join(module)) {
            for (n, line) in code(&file) {
                // `ram_operator.dev` in texts is no use of a crate.
                for word in forbidden.iter().filter(|word| names(&line, word)) {
                    broken.push(format!("{}:{n} uses {word}", file.display()));
                }
            }
        }
    }
    for file in OTHERS {
        for (n, line) in code(&src.join(file)) {
            if names(&line, "crate::plan") {
                broken.push(format!("{file}:{n} uses crate::plan"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_check_sees_a_broken_rule() {
    assert!(names("use kube::Client;", "kube") && names("let x = tokio::time::sleep(y).await;", ".await"));
    assert!(!names("use crate::plan::marker;", "kube") && !names("the kube client", "kube"));
}
