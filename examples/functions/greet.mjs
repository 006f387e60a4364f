// A handler function (deploy it with the handler "greet.handler"): called with an event, what it
// returns (or promises) is the result. Both are JSON.
let greetings = 0; // lives as long as the sandbox does

export const handler = async (event, context) => {
  greetings += 1;
  return {
    message: `Hello, ${event.name ?? "world"}!`,
    greetings,
    millisecondsLeft: context.getRemainingTimeInMillis(),
  };
};
