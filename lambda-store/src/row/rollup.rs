//! Figures over invocations.

use lambda_core::model::{FunctionId, Namespace, RequestId};
use lambda_core::store::rollup::{Histogram, Rollup, RollupKey, Tally};

use super::value::{all_functions, bounded, count, decode_error, function_bytes, id, parsed};

/// A row of `rollup`, but for its namespace, which every query names.
#[derive(sqlx::FromRow)]
pub(crate) struct RollupRow {
    pub(crate) bucket_s: i64,
    pub(crate) start_us: i64,
    /// [`all_functions`] for all of them.
    pub(crate) function_id: Vec<u8>,
    pub(crate) runtime: String,
    pub(crate) function_name: String,
    pub(crate) latest_us: i64,
    pub(crate) latest_id: Vec<u8>,
    #[sqlx(flatten)]
    pub(crate) tally: TallyRow,
}

/// The columns of a [`Tally`].
#[derive(sqlx::FromRow)]
pub(crate) struct TallyRow {
    pub(crate) success: i64,
    pub(crate) function_error: i64,
    pub(crate) timeout: i64,
    pub(crate) out_of_memory: i64,
    pub(crate) crashed: i64,
    pub(crate) cancelled: i64,
    pub(crate) cold: i64,
    pub(crate) prewarmed: i64,
    pub(crate) warm: i64,
    pub(crate) queue_us: f64,
    pub(crate) boot_us: f64,
    pub(crate) init_us: f64,
    pub(crate) run_us: f64,
    pub(crate) total_us: f64,
    pub(crate) max_memory_mib: Option<i64>,
    /// [`Histogram::encode`].
    pub(crate) durations: Vec<u8>,
}

impl RollupRow {
    /// The row that `rollup` is kept as.
    pub(crate) fn of(rollup: &Rollup) -> Self {
        Self {
            bucket_s: i64::from(rollup.key.bucket_s),
            start_us: rollup.key.start_us,
            function_id: function_bytes(rollup.key.function),
            runtime: rollup.key.runtime.as_str().to_owned(),
            function_name: rollup.name.as_str().to_owned(),
            latest_us: rollup.latest_us,
            latest_id: rollup.latest_id.as_bytes().to_vec(),
            tally: TallyRow::of(&rollup.tally),
        }
    }

    /// The figures.
    pub(crate) fn rollup(self, namespace: &Namespace) -> sqlx::Result<Rollup> {
        let function_id = id(&self.function_id)?;
        Ok(Rollup {
            key: RollupKey {
                namespace: namespace.clone(),
                bucket_s: count(self.bucket_s)?,
                start_us: self.start_us,
                function: (function_id != all_functions())
                    .then(|| FunctionId::from_bytes(function_id)),
                runtime: parsed(&self.runtime, str::parse)?,
            },
            name: parsed(&self.function_name, str::parse)?,
            latest_us: self.latest_us,
            latest_id: RequestId::from_bytes(id(&self.latest_id)?),
            tally: self.tally.tally()?,
        })
    }
}

impl TallyRow {
    /// The columns that `tally` is kept as.
    pub(crate) fn of(tally: &Tally) -> Self {
        Self {
            success: bounded(tally.success),
            function_error: bounded(tally.function_error),
            timeout: bounded(tally.timeout),
            out_of_memory: bounded(tally.out_of_memory),
            crashed: bounded(tally.crashed),
            cancelled: bounded(tally.cancelled),
            cold: bounded(tally.cold),
            prewarmed: bounded(tally.prewarmed),
            warm: bounded(tally.warm),
            queue_us: tally.queue_us,
            boot_us: tally.boot_us,
            init_us: tally.init_us,
            run_us: tally.run_us,
            total_us: tally.total_us,
            max_memory_mib: tally.max_memory_mib.map(i64::from),
            durations: tally.durations.encode(),
        }
    }

    /// The counts and sums.
    pub(crate) fn tally(self) -> sqlx::Result<Tally> {
        Ok(Tally {
            success: count(self.success)?,
            function_error: count(self.function_error)?,
            timeout: count(self.timeout)?,
            out_of_memory: count(self.out_of_memory)?,
            crashed: count(self.crashed)?,
            cancelled: count(self.cancelled)?,
            cold: count(self.cold)?,
            prewarmed: count(self.prewarmed)?,
            warm: count(self.warm)?,
            queue_us: self.queue_us,
            boot_us: self.boot_us,
            init_us: self.init_us,
            run_us: self.run_us,
            total_us: self.total_us,
            max_memory_mib: self.max_memory_mib.map(count).transpose()?,
            durations: Histogram::decode(&self.durations).map_err(decode_error)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use lambda_core::model::{FunctionName, InvocationRecord, RuntimeName};
    use lambda_core::store::AppendInvocations;

    use super::*;

    #[test]
    fn figures_survive_their_rows_and_foreign_ones_are_refused() {
        let mut record = InvocationRecord::started(
            RequestId::new(),
            Namespace::default(),
            (FunctionId::new(), FunctionName::new("f").unwrap(), 1),
            RuntimeName::docker(),
            Timestamp::UNIX_EPOCH,
        );
        record.total_us = 12_345;
        record.max_memory_mib = Some(7);
        let rollups = Rollup::of([&record], &AppendInvocations::new(Vec::new()));
        assert_eq!(rollups.len(), 8);
        for rollup in rollups {
            let back = RollupRow::of(&rollup).rollup(&Namespace::default());
            assert_eq!(back.unwrap(), rollup);
            let mut damaged = RollupRow::of(&rollup);
            damaged.tally.durations = vec![0];
            assert!(damaged.rollup(&Namespace::default()).is_err());
            let mut damaged = RollupRow::of(&rollup);
            damaged.tally.success = -1;
            assert!(damaged.rollup(&Namespace::default()).is_err());
        }
    }
}
