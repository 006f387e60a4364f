//! Text that attacks: it comes back byte for byte, or is refused, and changes nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fixture::{
    all_functions, append, by_id, by_name, create, creation, every_record, record,
};
use super::token::token;
use crate::error::ErrorKind;
use crate::model::{FunctionId, InvocationRecord, Namespace, TokenDigest, limits};
use crate::store::{Store, UpdateFunction};

const CORPUS: &[&str] = &[
    "",
    " ",
    " both sides ",
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\\' OR 1=1 -- ",
    "' OR '1'='1",
    "' OR 1=1 --",
    "\" OR \"\"=\"",
    "'; DROP TABLE function; --",
    "'); DELETE FROM invocation; --",
    "1; UPDATE token SET scopes = 'admin'",
    "' UNION SELECT sha256 FROM token --",
    "/* */ -- #",
    "%",
    "_",
    "?1",
    ":name",
    "@x $y",
    "{0} %s ${x}",
    "\r\n",
    "\t",
    "\u{7f}\u{1b}[31m",
    "naïve",
    "cafe\u{301}",
    "caf\u{e9}",
    "İstanbul ß ſ",
    "日本語",
    "مرحبا",
    "🦀 👩‍👩‍👧‍👦",
    "\u{fffd}",
    "\u{feff}bom",
    "\u{202e}rtl",
    "\u{e000}\u{10ffff}",
    "{\"json\": [\"\\u0000\"]}",
    "\u{0}",
    "a\u{0}b",
    "\u{0}tail",
];

pub(super) async fn text_of_functions(store: Arc<dyn Store>) {
    let witness = create(&*store, "witness").await;
    for text in CORPUS {
        let mut request = creation(&*store, "hostile").await;
        let config = &mut request.config;
        config.description = (*text).to_owned();
        config.handler = Some((*text).to_owned());
        config.image = Some((*text).to_owned());
        config.network = (*text).to_owned();
        config.env = BTreeMap::from([("VALUE".to_owned(), (*text).to_owned())]);
        let expected = config.clone();
        match store.function_create(request).await {
            Ok(created) => {
                let found = store.function_get(&by_id(created.id)).await.expect("get");
                assert!(found.config == expected, "{text:?} came back changed");
                let updated = store.function_update(UpdateFunction::of(&found)).await;
                let updated = updated.expect("update");
                assert!(
                    updated.config == expected,
                    "{text:?} was changed by an update"
                );
                store
                    .function_delete(&Namespace::default(), created.id)
                    .await
                    .expect("delete");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{text:?}"),
        }
        let listed = all_functions(&*store, &Namespace::default(), 10).await;
        assert!(
            listed == [witness.clone()],
            "{text:?} changed other functions"
        );
    }
}

pub(super) async fn text_of_records(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let mut kept = Vec::new();
    for (at, text) in (0..).zip(CORPUS) {
        let hostile = InvocationRecord {
            error_type: Some((*text).to_owned()),
            ..record(id, at)
        };
        match append(&*store, std::slice::from_ref(&hostile)).await {
            Ok(()) => kept.insert(0, hostile),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{text:?}"),
        }
        assert!(every_record(&*store).await == kept, "after {text:?}");
    }
}

pub(super) async fn text_of_tokens(store: Arc<dyn Store>) {
    for text in CORPUS {
        let created = token(text, text, 0);
        match store.token_create(created.clone()).await {
            Ok(()) => {
                let found = store.token_find(TokenDigest::of(text)).await.expect("find");
                assert!(found == Some(created.clone()), "{text:?} came back changed");
                let listed = store.token_list().await.expect("list");
                assert_eq!(listed, std::slice::from_ref(&created));
                store.token_delete(created.id).await.expect("delete");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{text:?}"),
        }
    }
}

/// What patterns and collations would take for one.
pub(super) async fn names_that_look_alike(store: Arc<dyn Store>) {
    let longest = "x".repeat(limits::NAME_CHARS_MAX);
    let names = [
        "a_b", "a-b", "axb", "A_B", "_", "-", "--", "0", "00", "null", "NULL", &longest,
    ];
    for name in names {
        create(&*store, name).await;
    }
    for name in names {
        let found = store.function_get(&by_name(name)).await.expect("get");
        assert_eq!(found.name.as_str(), name);
    }
}

pub(super) async fn largest_environment(store: Arc<dyn Store>) {
    let mut request = creation(&*store, "a").await;
    let one = "é\"\\\n".repeat(50);
    let mut left = limits::ENV_BYTES_MAX;
    for number in 0.. {
        let name = format!("NAME_{number}");
        if left < name.len() + one.len() {
            request
                .config
                .env
                .insert("REST".to_owned(), "x".repeat(left - 4));
            break;
        }
        left -= name.len() + one.len();
        request.config.env.insert(name, one.clone());
    }
    request.config.validate().expect("as large as can be");
    let expected = request.config.env.clone();
    let created = store.function_create(request).await.expect("create");
    let found = store.function_get(&by_id(created.id)).await.expect("get");
    assert_eq!(found.config.env, expected);
}
