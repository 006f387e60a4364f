// Exits with args[0].
console.log('exiting');
process.exit(Number(process.argv[2]));
