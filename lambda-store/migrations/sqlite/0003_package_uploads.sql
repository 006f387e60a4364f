-- A package's bytes lie under the upload that brought them. They come in by small transactions,
-- so that a slow upload keeps nobody from writing, and two uploads of one digest, of which one
-- may lie about it, never meet. The last transaction makes the package.
CREATE TABLE package_upload (
    id            BLOB    NOT NULL PRIMARY KEY,
    last_chunk_us INTEGER NOT NULL,
    -- Whether a package has these bytes. Where none does, the upload is under way, or it was
    -- given up, or the package was removed.
    finished      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX package_upload_unfinished ON package_upload (last_chunk_us) WHERE finished = FALSE;

-- Pieces of at most 256 KiB, without gaps from 0 on.
CREATE TABLE upload_chunk (
    upload_id BLOB    NOT NULL REFERENCES package_upload (id) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    bytes     BLOB    NOT NULL,
    PRIMARY KEY (upload_id, seq)
) STRICT;

ALTER TABLE package ADD COLUMN upload_id BLOB REFERENCES package_upload (id);

CREATE UNIQUE INDEX package_upload_id ON package (upload_id);

-- What is there moves under an upload named by the first half of its digest.
INSERT INTO package_upload (id, last_chunk_us, finished)
    SELECT substr(sha256, 1, 16), last_put_us, TRUE FROM package;
INSERT INTO upload_chunk (upload_id, seq, bytes)
    SELECT substr(sha256, 1, 16), seq, bytes FROM package_chunk;
UPDATE package SET upload_id = substr(sha256, 1, 16);
DROP TABLE package_chunk;
