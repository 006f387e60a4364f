//! Names, ids, cursors, paths and queries: what is accepted is harmless and reads back as itself.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use lambda_core::model::{
    AliasName, FunctionId, FunctionName, FunctionRef, Language, Namespace, OwnerId, Qualifier,
    RequestId, RuntimeName, SandboxId, TokenId,
};
use libfuzzer_sys::fuzz_target;

/// What is accepted can be a part of a path or a header, whoever prints it.
fn check<T: FromStr + Display + PartialEq>(text: &str) {
    let Ok(value) = text.parse::<T>() else {
        return;
    };
    let printed = value.to_string();
    assert!(printed.len() <= 100);
    assert!(
        printed
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:$".contains(&byte))
    );
    assert!(!printed.is_empty() && printed != "." && printed != "..");
    assert!(
        printed.parse::<T>().is_ok_and(|again| again == value),
        "{printed:?}"
    );
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    check::<FunctionId>(text);
    check::<RequestId>(text);
    check::<SandboxId>(text);
    check::<OwnerId>(text);
    check::<TokenId>(text);
    check::<FunctionName>(text);
    check::<AliasName>(text);
    check::<Namespace>(text);
    check::<RuntimeName>(text);
    check::<Language>(text);
    let _ = text.parse::<FunctionRef>();
    let _ = text.parse::<Qualifier>();
    let (path, query) = text.split_once('?').unwrap_or((text, text));
    lambda_http::fuzzing::path_and_query(path, query);
});
