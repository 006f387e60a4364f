-- Figures over invocations, so that a summary never reads their records.
CREATE TABLE rollup (
    namespace   TEXT    NOT NULL,
    -- 60, 3600 or 86400 seconds; 0 for the one bucket since the beginning, which starts at 0.
    bucket_s    INTEGER NOT NULL,
    start_us    INTEGER NOT NULL,
    -- 16 zero bytes for all functions.
    function_id BLOB    NOT NULL,
    runtime     TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    -- All counts, sums, the name and the histogram of durations, in an encoding of its own
    -- (src/sqlite/figures.rs): a summary reads thousands of rows, and each column of each costs.
    figures     BLOB    NOT NULL,
    PRIMARY KEY (namespace, bucket_s, start_us, function_id, runtime)
    -- Rows lie in the order in which they were made: those that a batch of records changes lie
    -- together, because they are of one time. Found by number and not by their long key, reading
    -- those of one function takes a third of the time.
) STRICT;

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
