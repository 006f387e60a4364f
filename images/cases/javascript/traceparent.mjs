// Returns the place of the invocation in its caller's trace.
export const handler = async (event, context) => context.traceparent;
