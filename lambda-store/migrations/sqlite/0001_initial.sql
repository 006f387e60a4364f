-- Ids are the 16 bytes of UUIDs of version 7, which sort by the time they were made.
-- Columns that end in `_us` are integer microseconds, points in time since the Unix epoch.

-- A function through all its versions.
CREATE TABLE function (
    id            BLOB    NOT NULL PRIMARY KEY,
    namespace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    -- The highest number given so far: numbers are never given twice.
    last_version  INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    UNIQUE (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX function_newest ON function (namespace, id);

-- What a function is deployed as; rows never change. The configuration is one JSON object
-- and not a column per field, because a version is only ever read as a whole, by its
-- number: no query filters or sorts by a field, and a new field needs no migration. What a
-- query will need can be added as a generated column with an index.
CREATE TABLE function_version (
    function_id   BLOB    NOT NULL REFERENCES function (id) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    revision      BLOB    NOT NULL,
    created_at_us INTEGER NOT NULL,
    config        TEXT    NOT NULL,
    PRIMARY KEY (function_id, version)
) STRICT;

-- `current` of every function, and names that people give to versions.
CREATE TABLE alias (
    function_id BLOB    NOT NULL REFERENCES function (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (function_id, name),
    FOREIGN KEY (function_id, version) REFERENCES function_version (function_id, version)
) STRICT, WITHOUT ROWID;

-- A code package, once, whoever refers to it.
CREATE TABLE package (
    sha256      BLOB    NOT NULL PRIMARY KEY,
    size_bytes  INTEGER NOT NULL,
    last_put_us INTEGER NOT NULL,
    -- Whether a version refers to it. Kept so that what may be removed is found by an index
    -- and not by looking at every package.
    referenced  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX package_unreferenced ON package (referenced, last_put_us);

-- Its bytes, in pieces of at most 256 KiB: rows stay small, and so do buffers.
CREATE TABLE package_chunk (
    sha256 BLOB    NOT NULL REFERENCES package (sha256) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    bytes  BLOB    NOT NULL,
    PRIMARY KEY (sha256, seq)
) STRICT;

-- The packages of a version, unpacked in the order of `seq`.
CREATE TABLE version_package (
    function_id BLOB    NOT NULL,
    version     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    sha256      BLOB    NOT NULL REFERENCES package (sha256),
    format      TEXT    NOT NULL,
    PRIMARY KEY (function_id, version, seq),
    FOREIGN KEY (function_id, version)
        REFERENCES function_version (function_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX version_package_sha256 ON version_package (sha256);

-- One row for each invocation. No reference to `function`: records outlive it.
CREATE TABLE invocation (
    request_id     BLOB    NOT NULL PRIMARY KEY,
    namespace      TEXT    NOT NULL,
    function_id    BLOB    NOT NULL,
    function_name  TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    runtime        TEXT    NOT NULL,
    start          TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    error_type     TEXT,
    started_at_us  INTEGER NOT NULL,
    queue_us       INTEGER NOT NULL,
    boot_us        INTEGER NOT NULL,
    init_us        INTEGER NOT NULL,
    run_us         INTEGER NOT NULL,
    total_us       INTEGER NOT NULL,
    max_memory_mib INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX invocation_newest ON invocation (namespace, started_at_us, request_id);
CREATE INDEX invocation_newest_of_function ON invocation (function_id, started_at_us, request_id);

-- Access tokens. Only digests of their secrets.
CREATE TABLE token (
    id            BLOB    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    sha256        BLOB    NOT NULL UNIQUE,
    -- Words, each followed by a space but for the last.
    scopes        TEXT    NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
