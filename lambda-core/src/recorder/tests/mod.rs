//! Tests of the recorder under faults.

mod cost;

use jiff::Timestamp;

use crate::model::{
    FunctionId, FunctionName, InvocationEntry, InvocationOutput, InvocationRecord, Namespace,
    RequestId, RuntimeName,
};

pub(super) fn entry() -> InvocationEntry {
    let mut record = InvocationRecord::started(
        RequestId::new(),
        Namespace::default(),
        (FunctionId::new(), FunctionName::new("f").unwrap(), 1),
        RuntimeName::docker(),
        Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
    );
    record.total_us = 60;
    InvocationEntry::new(record, InvocationOutput::new("out", "", None))
}
