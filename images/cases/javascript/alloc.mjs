// Takes event.mib MiB of memory, writes to each page, and keeps it until the next call.
let kept = null;

export const handler = async (event) => {
  kept = null;
  kept = Buffer.alloc(event.mib * 2 ** 20, 'x');
  return { mib: kept.length / 2 ** 20 };
};
