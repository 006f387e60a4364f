// Prints the place of the execution in its caller's trace.
console.log(process.env.TRACEPARENT ?? 'none');
