'use strict';
// A server in Rust and an application in Node on one database, at the same time:
//   node shared-store.js path/to/lambda
// Run by scripts/test-node.sh in a folder where the package is installed.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { test } = require('node:test');

const { Platform, NotFoundError } = require('lambdabox');

test('what one deploys, the other runs', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'lbx-shared-'));
  const store = `sqlite://${root}/shared.db`;
  // Each has a data directory of its own, as on two machines.
  const server = spawn(process.env.LAMBDA_BINARY, ['serve', '--store', store], {
    env: { ...process.env, LAMBDA_DATA_DIR: join(root, 'server'), LAMBDA_LISTEN: '127.0.0.1:0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  t.after(async () => {
    server.kill('SIGTERM');
    await ended;
    rmSync(root, { recursive: true, force: true });
  });
  const url = await listening(server);
  const platform = await Platform.open({ dataDir: join(root, 'node'), store });
  t.after(() => platform.close());

  const call = async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
    return response.status === 204 ? undefined : response.json();
  };
  const code = (who) => `exports.handler = async (event) => ({ from: '${who}', n: event.n });`;
  const config = { language: 'javascript', handler: 'index.handler' };

  await call('POST', '/functions', { name: 'theirs', code: code('server'), ...config });
  assert.deepEqual(await platform.invoke('theirs', { n: 1 }), { from: 'server', n: 1 });
  await platform.deploy({ name: 'ours', code: code('node'), ...config });
  const outcome = await call('POST', '/functions/execute', { name: 'ours', event: { n: 2 } });
  assert.deepEqual(outcome.output, { from: 'node', n: 2 });

  // A change is seen by the other within a second.
  await platform.deploy({ name: 'theirs', code: code('node, later'), ...config });
  const seen = () => call('POST', '/functions/execute', { name: 'theirs', event: { n: 3 } });
  await until(async () => (await seen()).output.from === 'node, later');
  // Both write records into one history, at once.
  await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      n % 2 ? platform.invoke('ours', { n }) : call('POST', '/functions/execute', { name: 'ours', event: { n } }),
    ),
  );
  await until(async () => (await platform.invocationSummary({ function: 'ours' })).totals.calls === 41);
  await call('DELETE', '/functions/ours');
  await assert.rejects(platform.functionGet('ours'), NotFoundError);
});

/** The address that the server says it listens on. */
async function listening(server) {
  const seen = [];
  for (const stream of [server.stdout, server.stderr]) {
    createInterface({ input: stream }).on('line', (line) => seen.push(line));
  }
  let url;
  await until(() => {
    if (server.exitCode !== null) throw new Error(`the server ended: ${seen.join('\n')}`);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(seen.join('\n'))?.[0];
    return url;
  });
  return url;
}

async function until(condition) {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
