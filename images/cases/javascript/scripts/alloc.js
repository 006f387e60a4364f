// Takes args[0] MiB of memory, writes to each page, and prints how many.
const kept = Buffer.alloc(Number(process.argv[2]) * 2 ** 20, 'x');
console.log(kept.length / 2 ** 20);
