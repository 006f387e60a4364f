// A script function: called with arguments, its standard output is the result.
const name = process.argv[2] ?? "world";
console.log(`Hello, ${name}!`);
