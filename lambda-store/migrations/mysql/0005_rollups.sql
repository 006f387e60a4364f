-- Figures over invocations, kept with the records so that a summary never reads those. A row
-- counts the invocations that started in one bucket of time, in one runtime, of one function or
-- of all.
CREATE TABLE IF NOT EXISTS rollup (
    namespace   VARCHAR(64) NOT NULL,
    -- 60, 3600 or 86400 seconds; 0 for the one bucket since the beginning, which starts at 0.
    bucket_s    BIGINT      NOT NULL,
    start_us    BIGINT      NOT NULL,
    -- 16 zero bytes for all functions.
    function_id BINARY(16)  NOT NULL,
    runtime     VARCHAR(64) NOT NULL,
    calls       BIGINT      NOT NULL,
    -- All counts, sums, the name and the histogram of durations, in an encoding of its own
    -- (src/row/figures.rs): a summary reads thousands of rows, and each column of each costs.
    figures     BLOB        NOT NULL,
    -- The rows of one function lie together: a summary reads thousands of them, and looking each
    -- up on its own would take it three times as long. A batch of records changes rows of many
    -- functions, of which the database keeps the pages in memory.
    PRIMARY KEY (namespace, bucket_s, function_id, start_us, runtime),
    KEY rollup_of_time (namespace, bucket_s, start_us, function_id, runtime)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;
