// Raises a CaseError with event.message.
class CaseError extends Error {
  name = 'CaseError';
}

export const handler = async (event) => {
  throw new CaseError(event.message);
};
