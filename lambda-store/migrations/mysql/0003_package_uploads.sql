-- A package's bytes lie under the upload that brought them. They come in by small transactions,
-- so that a slow upload keeps nobody from writing, and two uploads of one digest, of which one
-- may lie about it, never meet. The last transaction makes the package.
CREATE TABLE IF NOT EXISTS package_upload (
    id            BINARY(16) NOT NULL PRIMARY KEY,
    last_chunk_us BIGINT     NOT NULL,
    -- Whether a package has these bytes. Where none does, the upload is under way, or it was
    -- given up.
    finished      BOOLEAN    NOT NULL,
    KEY package_upload_unfinished (finished, last_chunk_us)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- Pieces of at most 256 KiB, by ascending numbers.
CREATE TABLE IF NOT EXISTS upload_chunk (
    upload_id BINARY(16) NOT NULL,
    seq       BIGINT     NOT NULL,
    bytes     MEDIUMBLOB NOT NULL,
    PRIMARY KEY (upload_id, seq),
    CONSTRAINT upload_chunk_upload
        FOREIGN KEY (upload_id) REFERENCES package_upload (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET ascii COLLATE ascii_bin;

-- No program has kept packages without it.
SET @statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'package' AND column_name = 'upload_id') = 0,
    'ALTER TABLE package ADD COLUMN upload_id BINARY(16) NOT NULL,
     ADD UNIQUE KEY package_upload_id (upload_id),
     ADD CONSTRAINT package_upload FOREIGN KEY (upload_id) REFERENCES package_upload (id)',
    'DO 0'
);
PREPARE step FROM @statement;
EXECUTE step;
DEALLOCATE PREPARE step;
