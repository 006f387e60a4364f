// Sleeps for event.ms milliseconds.
export const handler = async (event) => {
  await new Promise((resolve) => setTimeout(resolve, event.ms));
  return { ms: event.ms };
};
