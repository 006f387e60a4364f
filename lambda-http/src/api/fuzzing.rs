//! Every body of JSON that an operation takes, for fuzz/.

use bytes::Bytes;

use super::function_types::FunctionBody;
use super::history::AliasBody;
use super::tokens::TokenBody;
use super::{execute, test};
use crate::body;

pub(crate) fn bodies(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let _ = execute::execute_request(&bytes);
    let _ = test::test_request(&bytes);
    if let Ok(body) = body::parse::<FunctionBody>(&bytes) {
        let _ = body.into_new_function(None);
    }
    if let Ok(body) = body::parse::<FunctionBody>(&bytes) {
        let _ = body.into_patch();
    }
    let _ = body::parse::<AliasBody>(&bytes);
    let _ = body::parse::<TokenBody>(&bytes);
}
