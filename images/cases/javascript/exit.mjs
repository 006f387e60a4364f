// Ends the process with event.code.
export const handler = async (event) => {
  console.log('exiting');
  process.exit(event.code);
};
