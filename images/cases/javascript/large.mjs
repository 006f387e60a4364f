// Returns a string of event.size bytes.
export const handler = async (event) => 'x'.repeat(event.size);
