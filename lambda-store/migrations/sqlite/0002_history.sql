-- The function's revision: renewed by every change of its code, configuration, name or aliases.
-- A version has the one that creating it gave, so that after a roll-back the two differ.
ALTER TABLE function ADD COLUMN revision BLOB NOT NULL
    DEFAULT x'00000000000000000000000000000000';

UPDATE function SET revision = (
    SELECT v.revision FROM alias a
    JOIN function_version v ON v.function_id = a.function_id AND v.version = a.version
    WHERE a.function_id = function.id AND a.name = 'current'
);
