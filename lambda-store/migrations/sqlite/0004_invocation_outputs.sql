-- What is kept beside a record, for a shorter time. No row where there is nothing. A table of its
-- own, because the rows are long, and because what lists records should not read over them.
CREATE TABLE invocation_output (
    request_id    BLOB    NOT NULL PRIMARY KEY,
    namespace     TEXT    NOT NULL,
    -- The record's, so that what is old is found without the record.
    started_at_us INTEGER NOT NULL,
    stdout        TEXT    NOT NULL,
    stderr        TEXT    NOT NULL,
    error_message TEXT
) STRICT;

CREATE INDEX invocation_output_oldest ON invocation_output (namespace, started_at_us);
