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

#[test]
fn the_list_names_them() {
    let list = fs::read_to_string(root().join("docs/embedding-surface.txt")).expect("the list");
    let of_rust = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (name, languages) = line.split_once(' ').unwrap_or((line, "rust"));
            languages.split(' ').any(|it| it == "rust").then_some(name)
        });
    let of_rust: BTreeSet<&str> = of_rust.collect();
    assert_eq!(of_rust, OPERATIONS.iter().copied().collect());
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
