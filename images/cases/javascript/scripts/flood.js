// Writes args[0] MiB of lines of 64 bytes to stdout.
for (let i = 0; i < Number(process.argv[2]) * 2 ** 14; i++) console.log('x'.repeat(63));
