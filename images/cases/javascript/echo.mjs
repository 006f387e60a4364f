// Returns the event and writes one line to each stream.
export const handler = async (event) => {
  console.log('echo to stdout');
  console.error('echo to stderr');
  return event;
};
