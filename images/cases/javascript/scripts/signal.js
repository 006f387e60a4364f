// Ends itself with the signal args[0].
console.log('signalling');
process.kill(process.pid, Number(process.argv[2]));
// Node sends it, but goes on until it arrives.
setTimeout(() => {}, 60_000);
