// Raises a CaseError with args[0].
class CaseError extends Error {
  name = 'CaseError';
}

throw new CaseError(process.argv[2]);
