-- Figures over invocations, kept with the records so that a summary never reads those. A row
-- counts the invocations that started in one bucket of time, in one runtime, of one function or
-- of all.
CREATE TABLE IF NOT EXISTS rollup (
    namespace      VARCHAR(64) NOT NULL,
    -- The bucket's length in seconds; 0: the one since the beginning.
    bucket_s       BIGINT      NOT NULL,
    start_us       BIGINT      NOT NULL,
    -- 16 zero bytes: all functions.
    function_id    BINARY(16)  NOT NULL,
    runtime        VARCHAR(64) NOT NULL,
    -- The function's name at its latest invocation, and when and which that was.
    function_name  VARCHAR(64) NOT NULL,
    latest_us      BIGINT      NOT NULL,
    latest_id      BINARY(16)  NOT NULL,
    success        BIGINT      NOT NULL,
    function_error BIGINT      NOT NULL,
    timeout        BIGINT      NOT NULL,
    out_of_memory  BIGINT      NOT NULL,
    crashed        BIGINT      NOT NULL,
    cancelled      BIGINT      NOT NULL,
    cold           BIGINT      NOT NULL,
    prewarmed      BIGINT      NOT NULL,
    warm           BIGINT      NOT NULL,
    queue_us       DOUBLE      NOT NULL,
    boot_us        DOUBLE      NOT NULL,
    init_us        DOUBLE      NOT NULL,
    run_us         DOUBLE      NOT NULL,
    total_us       DOUBLE      NOT NULL,
    max_memory_mib BIGINT,
    -- A histogram of the whole time, in an encoding of the platform's own.
    durations      BLOB        NOT NULL,
    PRIMARY KEY (namespace, bucket_s, start_us, function_id, runtime),
    KEY rollup_of_function (namespace, function_id, bucket_s, start_us)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;
