-- Figures over invocations, so that a summary never reads their records.
CREATE TABLE rollup (
    namespace       TEXT    NOT NULL,
    -- 60, 3600 or 86400 seconds; 0 for the one bucket since the beginning, which starts at 0.
    bucket_s        INTEGER NOT NULL,
    start_us        INTEGER NOT NULL,
    -- 16 zero bytes for all functions.
    function_id     BLOB    NOT NULL,
    runtime         TEXT    NOT NULL,
    -- Of the latest invocation, as `latest_us` (its start) and `latest_id`.
    function_name   TEXT    NOT NULL,
    latest_us       INTEGER NOT NULL,
    latest_id       BLOB    NOT NULL,
    success         INTEGER NOT NULL,
    function_error  INTEGER NOT NULL,
    timeout         INTEGER NOT NULL,
    out_of_memory   INTEGER NOT NULL,
    crashed         INTEGER NOT NULL,
    cancelled       INTEGER NOT NULL,
    cold            INTEGER NOT NULL,
    prewarmed       INTEGER NOT NULL,
    warm            INTEGER NOT NULL,
    -- Sums, which may not fit into an integer.
    queue_us        REAL    NOT NULL,
    boot_us         REAL    NOT NULL,
    init_us         REAL    NOT NULL,
    run_us          REAL    NOT NULL,
    total_us        REAL    NOT NULL,
    max_memory_mib  INTEGER,
    -- A histogram of the whole times, in an encoding of its own.
    durations       BLOB    NOT NULL,
    -- What a batch of records changes lies together: it is of one time.
    PRIMARY KEY (namespace, bucket_s, start_us, function_id, runtime)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollup_of_function ON rollup (namespace, function_id, bucket_s, start_us);

-- How far the figures of the records that are older than this table have been made: the id of
-- the last one. No row: they are all made.
CREATE TABLE rollup_backfill (
    after_id BLOB NOT NULL
) STRICT;

INSERT INTO rollup_backfill SELECT x'' WHERE EXISTS (SELECT 1 FROM invocation);

-- Pages of records, by all filters: these hold every column that a filter names, so that what is
-- filtered out is never looked up. Failures are few, and what people look for.
DROP INDEX invocation_newest;
DROP INDEX invocation_newest_of_function;

CREATE INDEX invocation_newest
    ON invocation (namespace, started_at_us, request_id, runtime, status);
CREATE INDEX invocation_newest_of_function
    ON invocation (function_id, started_at_us, request_id, namespace, runtime, status);
CREATE INDEX invocation_failed
    ON invocation (namespace, started_at_us, request_id, runtime, status)
    WHERE status <> 'success';
CREATE INDEX invocation_failed_of_function
    ON invocation (function_id, started_at_us, request_id, namespace, runtime, status)
    WHERE status <> 'success';
