// Prints each arg on a line of its own.
for (const arg of process.argv.slice(2)) console.log(arg);
