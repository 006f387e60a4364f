// Writes event.text to stdout and returns it between characters of two to four bytes.
export const handler = async (event) => {
  console.log(event.text);
  return { text: `é€😀${event.text}😀€é` };
};
