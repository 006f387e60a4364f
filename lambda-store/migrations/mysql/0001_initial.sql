-- Ids are the 16 bytes of UUIDs of version 7, which sort by the time they were made.
-- Columns that end in `_us` are integer microseconds, points in time since the Unix epoch.
--
-- Names and words are ASCII, compared byte for byte; free text is UTF-8 that is never compared.
-- Numbers are signed and of 64 bits, because the platform's go up to 2^32 and beyond.
--
-- MySQL commits each of these statements on its own, so that a program which is killed leaves
-- some of them done. Each may be run again.

-- A function through all its versions.
CREATE TABLE IF NOT EXISTS `function` (
    id            BINARY(16)  NOT NULL PRIMARY KEY,
    namespace     VARCHAR(64) NOT NULL,
    name          VARCHAR(64) NOT NULL,
    -- The highest number given so far: numbers are never given twice.
    last_version  BIGINT      NOT NULL,
    created_at_us BIGINT      NOT NULL,
    UNIQUE KEY function_name (namespace, name),
    KEY function_newest (namespace, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- What a function is deployed as; rows never change. The configuration is one JSON object
-- and not a column per field, because a version is only ever read as a whole, by its
-- number: no query filters or sorts by a field, and a new field needs no migration. It is text
-- and not JSON, because the database would print numbers and strings its own way.
CREATE TABLE IF NOT EXISTS function_version (
    function_id   BINARY(16) NOT NULL,
    version       BIGINT     NOT NULL,
    revision      BINARY(16) NOT NULL,
    created_at_us BIGINT     NOT NULL,
    config        MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (function_id, version),
    CONSTRAINT function_version_function
        FOREIGN KEY (function_id) REFERENCES `function` (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- `current` of every function, and names that people give to versions.
CREATE TABLE IF NOT EXISTS alias (
    function_id BINARY(16)  NOT NULL,
    name        VARCHAR(64) NOT NULL,
    version     BIGINT      NOT NULL,
    PRIMARY KEY (function_id, name),
    KEY alias_version (function_id, version),
    CONSTRAINT alias_function
        FOREIGN KEY (function_id) REFERENCES `function` (id) ON DELETE CASCADE,
    -- Versions go only with their function, and the order of cascades is the database's.
    CONSTRAINT alias_version
        FOREIGN KEY (function_id, version)
        REFERENCES function_version (function_id, version) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- A code package, once, whoever refers to it.
CREATE TABLE IF NOT EXISTS package (
    sha256      BINARY(32) NOT NULL PRIMARY KEY,
    size_bytes  BIGINT     NOT NULL,
    last_put_us BIGINT     NOT NULL,
    -- Whether a version refers to it. Kept so that what may be removed is found by an index
    -- and not by looking at every package.
    referenced  BOOLEAN    NOT NULL,
    KEY package_unreferenced (referenced, last_put_us)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- The packages of a version, unpacked in the order of `seq`.
CREATE TABLE IF NOT EXISTS version_package (
    function_id BINARY(16)  NOT NULL,
    version     BIGINT      NOT NULL,
    seq         BIGINT      NOT NULL,
    sha256      BINARY(32)  NOT NULL,
    format      VARCHAR(16) NOT NULL,
    PRIMARY KEY (function_id, version, seq),
    KEY version_package_sha256 (sha256),
    CONSTRAINT version_package_package
        FOREIGN KEY (sha256) REFERENCES package (sha256),
    CONSTRAINT version_package_version
        FOREIGN KEY (function_id, version)
        REFERENCES function_version (function_id, version) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- One row for each invocation. No reference to `function`: records outlive it.
CREATE TABLE IF NOT EXISTS invocation (
    request_id     BINARY(16)  NOT NULL PRIMARY KEY,
    namespace      VARCHAR(64) NOT NULL,
    function_id    BINARY(16)  NOT NULL,
    function_name  VARCHAR(64) NOT NULL,
    version        BIGINT      NOT NULL,
    runtime        VARCHAR(64) NOT NULL,
    start          VARCHAR(16) NOT NULL,
    status         VARCHAR(16) NOT NULL,
    error_type     MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    started_at_us  BIGINT      NOT NULL,
    queue_us       BIGINT      NOT NULL,
    boot_us        BIGINT      NOT NULL,
    init_us        BIGINT      NOT NULL,
    run_us         BIGINT      NOT NULL,
    total_us       BIGINT      NOT NULL,
    max_memory_mib BIGINT,
    -- When it started, if it failed. Failures are few, and what people look for: they are found
    -- without reading over the rest.
    failed_at_us   BIGINT AS (IF(status = 'success', NULL, started_at_us)) STORED,
    -- These hold every column that a filter names, so that what is filtered out is never looked up.
    KEY invocation_newest (namespace, started_at_us, request_id, runtime, status),
    KEY invocation_newest_of_function
        (function_id, started_at_us, request_id, namespace, runtime, status),
    KEY invocation_failed (namespace, failed_at_us, request_id, function_id, runtime, status)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- Access tokens. Only digests of their secrets.
CREATE TABLE IF NOT EXISTS token (
    id            BINARY(16)   NOT NULL PRIMARY KEY,
    name          MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    sha256        BINARY(32)   NOT NULL,
    -- Words, each followed by a space but for the last.
    scopes        VARCHAR(255) NOT NULL,
    created_at_us BIGINT       NOT NULL,
    UNIQUE KEY token_sha256 (sha256)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;
