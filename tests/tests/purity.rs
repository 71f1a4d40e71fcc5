//! What keeps `crdt-model` pure. Whoever brings in a clock, a file, a socket, randomness or an async
//! runtime hears of it here, also where clippy is not run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that may not be in the model's tree, however deep.
const NOWHERE: [&str; 8] = ["tokio", "async-std", "smol", "quinn", "rustls", "sled", "mio", "socket2"];

/// Crates that the model itself may not name.
///
/// automerge brings getrandom, rand and tracing along: it draws random actors for documents that are
/// opened without one. The model gives every change its actor (`transaction::actor`), so what these
/// draw reaches no document. That path is allowed, and no other.
const NOT_DIRECTLY: [&str; 5] = ["getrandom", "rand", "rand_core", "rand_chacha", "tracing"];
/// The one crate through which those may come.
const THROUGH: &str = "automerge";

/// Words that have no place in the model's code.
const WORDS: [&str; 16] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "Instant::now",
    "SystemTime",
    "std::io::stdin",
    "println!",
    "thread_rng",
    "getrandom",
    "RandomState",
    "tokio",
    "async fn",
    "async move",
];

const MODEL: &str = "wangge-model";

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crdt-model")
}

/// The crates that `cargo tree` lists for a package, on this machine's target.
fn tree(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", package, "-e", "normal", "--prefix", "none"])
        .args(["--format", "{lib}"])
        .args(arguments)
        .current_dir(model())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(|name| name.replace('_', "-"))
        .collect()
}

fn found(tree: &BTreeSet<String>, banned: &[&str]) -> Vec<String> {
    banned.iter().map(|name| name.replace('_', "-")).filter(|name| tree.contains(name)).collect()
}

/// Lines of `source` outside tests that hold one of [`WORDS`] in code.
fn breaches(source: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut lines = source.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let code = line.trim_start();
        // Tests stand last in a file.
        if code.starts_with("#[cfg(test)]") {
            let Some((_, next)) = lines.next() else { break };
            if next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{') {
                break;
            }
            continue;
        }
        // A comment, or the rest of the line after one. No string of the model holds two slashes.
        let code = code.split_once("//").map_or(code, |(before, _)| before);
        breaches.extend(
            WORDS.iter().filter(|word| code.contains(**word)).map(|word| format!("line {}: {word}", at + 1)),
        );
    }
    breaches
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("reads") {
        let path = entry.expect("reads").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_some_and(|stem| stem != "tests")
        {
            into.push(path);
        }
    }
}

#[test]
fn no_runtime_no_transport_and_no_store_is_in_the_models_tree() {
    let all = tree(MODEL, &[]);
    assert!(all.contains(THROUGH), "the tree was not read: {all:?}");
    assert_eq!(found(&all, &NOWHERE), Vec::<String>::new());
}

#[test]
fn the_model_draws_no_randomness_but_what_automerge_brings() {
    let direct = tree(MODEL, &["--depth", "1"]);
    assert!(direct.contains(THROUGH), "the tree was not read: {direct:?}");
    assert_eq!(found(&direct, &NOT_DIRECTLY), Vec::<String>::new());
    let without = tree(MODEL, &["--prune", THROUGH]);
    assert!(!without.contains(THROUGH) && without.contains("blake3"), "{without:?}");
    // `rand_core` without `getrandom` is only a trait; ed25519-dalek may name it.
    assert_eq!(found(&without, &["getrandom", "rand", "rand_chacha"]), Vec::<String>::new());
}

#[test]
fn the_models_code_names_no_file_clock_socket_or_runtime() {
    let mut files = Vec::new();
    sources(&model().join("src"), &mut files);
    assert!(files.len() > 20, "{files:?}");
    let mut all = Vec::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("reads");
        all.extend(breaches(&source).into_iter().map(|breach| format!("{}: {breach}", file.display())));
    }
    assert_eq!(all, Vec::<String>::new());
}

/// The checks above can fail: the node, which does all this, would not pass them.
#[test]
fn these_checks_can_fail() {
    for code in
        ["let now = std::time::Instant::now();", "use std::fs;", "  async fn f() {}", "x(getrandom::fill)"]
    {
        assert!(!breaches(code).is_empty(), "{code}");
    }
    for code in ["// std::fs", "let a = 1; // tokio", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}"] {
        assert_eq!(breaches(code), Vec::<String>::new(), "{code}");
    }
    assert!(
        !breaches("#[cfg(test)]\nmod tests;\nuse std::fs;").is_empty(),
        "code goes on after a test module"
    );
    let node = tree("wangge-node", &[]);
    assert_eq!(found(&node, &NOWHERE), ["tokio", "quinn", "rustls", "sled", "mio", "socket2"]);
    assert!(found(&tree("wangge-node", &["--depth", "1"]), &NOT_DIRECTLY).contains(&"getrandom".to_owned()));
}
