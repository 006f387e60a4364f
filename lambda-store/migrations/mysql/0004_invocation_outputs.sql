-- The ends of what an invocation wrote, beside its record: read with one record only, and
-- removed earlier. Only where there is something to keep. No reference to `invocation`:
-- checking it would cost every insert, and both are written and removed together.
CREATE TABLE IF NOT EXISTS invocation_output (
    request_id    BINARY(16)  NOT NULL PRIMARY KEY,
    namespace     VARCHAR(64) NOT NULL,
    started_at_us BIGINT      NOT NULL,
    stdout        MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    stderr        MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    error_message MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    KEY invocation_output_oldest (namespace, started_at_us)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;
