//! The operations of `Platform` are those of docs/embedding-surface.txt, with which the Python
//! and the Node package compare theirs. One that is added, renamed or removed fails here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lambda_store::Platform;

/// Names each operation to the compiler, and to the test.
macro_rules! operations {
    ($($name:ident)*) => {
        const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        #[test]
        fn each_is_an_operation_of_a_platform() {
            $(let _ = Platform::$name;)*
        }
    };
}

operations! {
    alias_delete alias_list alias_set builder cancel check close deploy execute follow_all
    follow_function follow_invocation function_code function_create function_delete function_get
    function_get_at function_list function_package function_update invocation_get invocation_list
    invocation_summary observe pool_stats readiness recorder_status rollback runtimes start
    start_test test token_create token_delete token_find token_list version_list
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the list has for Rust: operations, or behind `indent` what `execute` is told.
fn listed(indent: &str) -> BTreeSet<String> {
    let list = fs::read_to_string(root().join("docs/embedding-surface.txt")).expect("the list");
    let lines = list.lines().filter_map(|line| line.strip_prefix(indent));
    lines
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| {
            let (name, languages) = line.split_once(' ').unwrap_or((line, "rust"));
            let is_of_rust = languages.split(' ').any(|it| it == "rust");
            is_of_rust.then(|| name.to_owned())
        })
        .collect()
}

#[test]
fn the_list_names_them() {
    let operations: BTreeSet<String> = OPERATIONS.iter().map(ToString::to_string).collect();
    assert_eq!(listed(""), operations);
}

#[test]
fn a_run_is_told_what_it_is_on_every_surface() {
    let source = fs::read_to_string(root().join("lambda-core/src/executor/mod.rs"));
    let source = source.expect("the sources");
    let (_, from) = source
        .split_once("pub struct ExecuteRequest {\n")
        .expect("it is there");
    let (fields, _) = from.split_once("\n}").expect("it ends");
    let mut told = BTreeSet::new();
    for line in fields.lines() {
        let field = line.trim_start().strip_prefix("pub ");
        match field.and_then(|field| field.split_once(':')) {
            Some(("function", _)) | None => {}
            // What Rust has a type for, and others have two names.
            Some(("payload", _)) => told.extend(["args", "event"].map(str::to_owned)),
            Some(("timeout", _)) => _ = told.insert("timeout_ms".to_owned()),
            Some((name, _)) => _ = told.insert(name.to_owned()),
        }
    }
    assert_eq!(listed("  "), told);
}

/// So that an operation that nobody listed is noticed: the sources are read for their public
/// methods.
#[test]
fn there_are_no_others() {
    let mut found = BTreeSet::new();
    let sources = fs::read_dir(root().join("lambda-core/src/platform")).expect("the sources");
    for source in sources {
        let source = fs::read_to_string(source.expect("a source").path()).expect("its text");
        let mut is_platform = false;
        for line in source.lines() {
            match line {
                "impl Platform {" => is_platform = true,
                "}" => is_platform = false,
                _ => {}
            }
            let method = line
                .strip_prefix("    pub async fn ")
                .or_else(|| line.strip_prefix("    pub fn "));
            if let Some((name, _)) = method
                .filter(|_| is_platform)
                .and_then(|it| it.split_once('('))
            {
                found.insert(name.to_owned());
            }
        }
    }
    let listed: BTreeSet<String> = OPERATIONS.iter().map(ToString::to_string).collect();
    assert_eq!(found, listed);
}
