// Writes event.mib MiB of lines of 64 bytes to stdout.
export const handler = async (event) => {
  const lines = event.mib * 2 ** 14;
  for (let i = 0; i < lines; i++) console.log('x'.repeat(63));
  return { bytes: lines * 64 };
};
