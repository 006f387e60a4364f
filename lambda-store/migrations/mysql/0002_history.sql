-- The function's revision: renewed by every change of its code, configuration, name or aliases.
-- A version has the one that creating it gave, so that after a roll-back the two differ. No
-- program has made functions without it. Adding a column that is there already is an error, so
-- that this looks first.
SET @statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'function' AND column_name = 'revision') = 0,
    'ALTER TABLE `function` ADD COLUMN revision BINARY(16) NOT NULL',
    'DO 0'
);
PREPARE step FROM @statement;
EXECUTE step;
DEALLOCATE PREPARE step;
