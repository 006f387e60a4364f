// User-defined webhooks: a customer uploads a function, and every delivery to its hook runs it in a
// sandbox of its own. The app stays safe from the code, and the code from other customers'.

import express from 'express';
import { FunctionError, LambdaError, Platform } from 'lambdabox';

export function webhooks(platform) {
  const app = express();
  app.use(express.json());

  // The customer's code: `exports.handler = async (delivery) => ({ ... })`.
  app.put('/hooks/:name', express.text({ type: 'text/javascript' }), async (request, response) => {
    if (typeof request.body !== 'string') {
      response.status(415).json({ error: 'Send the code as text/javascript.' });
      return;
    }
    const { version } = await platform.deploy({
      name: request.params.name,
      language: 'javascript',
      handler: 'hook.handler',
      code: request.body,
      runtime: process.env.WEBHOOK_RUNTIME ?? 'gvisor', // The boundary for code of strangers.
      timeoutMs: 2000,
      concurrency: 4,
    });
    response.status(201).json({ version });
  });

  // A delivery. When the sender hangs up, the run is killed.
  app.post('/hooks/:name', async (request, response) => {
    const hungUp = new AbortController();
    response.on('close', () => hungUp.abort());
    const delivery = { headers: request.headers, body: request.body ?? null };
    response.json(await platform.invoke(request.params.name, delivery, { signal: hungUp.signal }));
  });

  // What the hook has done lately.
  app.get('/hooks/:name/deliveries', async (request, response) => {
    const { items } = await platform.invocationList({ function: request.params.name, limit: 20 });
    response.json(items.map(({ startedAt, status, totalMs }) => ({ startedAt, status, totalMs })));
  });

  app.use((error, _request, response, next) => {
    if (response.destroyed) return;
    if (error instanceof FunctionError) {
      // The customer's own mistake: shown to the customer, with the stack inside of the sandbox.
      response.status(502).json({ error: error.message, type: error.type, stack: error.remoteStack });
    } else if (error instanceof LambdaError) {
      const status = { ResourceNotFoundException: 404, TooManyRequestsException: 429 }[error.code];
      response.status(status ?? (error.retryable ? 503 : 400)).json({ error: error.message });
    } else next(error);
  });

  return app;
}

if (process.argv[1] === import.meta.filename) {
  const platform = await Platform.open({ dataDir: process.env.DATA_DIR ?? './data' });
  const server = webhooks(platform).listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}`);
  });
  process.once('SIGTERM', () => server.close(() => platform.close()));
}
