// Burns CPU for ever.
export const handler = async () => {
  console.log('spinning');
  for (;;);
};
