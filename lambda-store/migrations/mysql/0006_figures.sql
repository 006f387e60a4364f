-- Figures over invocations, of which each bucket's are one value: a summary reads thousands of
-- rows, and each column of each costs. They are made anew from the records, also from those that
-- are older than any figures.
DROP TABLE IF EXISTS rollup;

CREATE TABLE rollup (
    namespace   VARCHAR(64) NOT NULL,
    -- 60, 3600 or 86400 seconds; 0 for the one bucket since the beginning, which starts at 0.
    bucket_s    BIGINT      NOT NULL,
    start_us    BIGINT      NOT NULL,
    -- 16 zero bytes for all functions.
    function_id BINARY(16)  NOT NULL,
    runtime     VARCHAR(64) NOT NULL,
    calls       BIGINT      NOT NULL,
    -- All counts, sums, the name and the histogram of durations, in an encoding of its own
    -- (src/row/figures.rs).
    figures     BLOB        NOT NULL,
    -- The rows of one function lie together: a summary reads thousands of them, and looking each
    -- up on its own would take it three times as long. A batch of records changes rows of many
    -- functions, of which the database keeps the pages in memory.
    PRIMARY KEY (namespace, bucket_s, function_id, start_us, runtime),
    KEY rollup_of_time (namespace, bucket_s, start_us, function_id, runtime)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- How far the figures of the records that are older than this table have been made: the id of
-- the last one. No row: they are all made.
DROP TABLE IF EXISTS rollup_backfill;

CREATE TABLE rollup_backfill (
    after_id BINARY(16) NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

INSERT INTO rollup_backfill
    SELECT CAST(REPEAT(CHAR(0), 16) AS BINARY(16)) FROM DUAL
    WHERE EXISTS (SELECT 1 FROM invocation);
