'use strict';
// A server in Rust, an application in Python and one in Node on one database, at the same time.
// Run by scripts/test-node.sh in a folder where the package is installed, with
//   LAMBDA_BINARY             the server
//   LAMBDA_TEST_PYTHON        a Python that has the package `lambdabox`
//   LAMBDA_TEST_MARIADB_URL   and LAMBDA_TEST_MYSQL_URL: servers, without a database

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { test } = require('node:test');

const { Platform, NotFoundError } = require('lambdabox');

// What one deploys, the others run after at most this long (docs/STORES.md), and a little for the
// calls themselves.
const STALENESS_MS = 1000 + 1000;
const EACH = 20;
const CONFIG = { language: 'javascript', handler: 'index.handler' };
const code = (who) => `exports.handler = async (event) => ({ from: '${who}', n: event.n });`;

for (const [kind, base] of [
  ['SQLite', ''],
  ['MariaDB', process.env.LAMBDA_TEST_MARIADB_URL],
  ['MySQL', process.env.LAMBDA_TEST_MYSQL_URL],
]) {
  const skip = base === undefined && `no ${kind}: its URL is not set`;
  test(`three languages on one store in ${kind}`, { skip }, async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'lbx-'));
    t.after(() => rmSync(root, { recursive: true, force: true }));
    const store = base ? `${base}shared_${process.pid}` : `sqlite://${root}/shared.db`;
    // Each has a data directory of its own, as on three machines.
    const apps = {
      server: await openServer(t, join(root, 'server'), store),
      python: await openPython(t, join(root, 'python'), store),
      node: await openNode(t, join(root, 'node'), store),
    };
    const names = Object.keys(apps);

    // What each deploys, each runs.
    for (const name of names) await apps[name].deploy(`of-${name}`, code(name));
    for (const caller of names) {
      for (const name of names) {
        assert.deepEqual(await apps[caller].invoke(`of-${name}`, { n: 1 }), { from: name, n: 1 });
      }
    }

    // A change is seen by the others within the staleness that is promised.
    for (const name of names) {
      await apps[name].deploy('of-server', code(`${name}, later`));
      const changed = Date.now();
      for (const other of names) {
        await until(async () => {
          const result = await apps[other].invoke('of-server', { n: 2 });
          const isLate = Date.now() - changed > STALENESS_MS;
          assert.ok(!isLate || result.from === `${name}, later`, `${other} still runs ${result.from}`);
          return result.from === `${name}, later`;
        });
      }
    }

    // All of them at once, and one history: each invocation is in it once.
    const calls = Array.from({ length: EACH }, (_, n) =>
      names.map((name) => apps[name].invoke('of-node', { n }).then((result) => assert.equal(result.n, n))),
    );
    await Promise.all(calls.flat());
    // Each of the three has run it once above, too.
    const expected = names.length + names.length * EACH;
    const figures = async () => (await apps.node.platform.invocationSummary({ function: 'of-node' })).totals;
    await until(async () => (await figures()).calls >= expected);
    const ids = new Set();
    for await (const { requestId } of apps.node.platform.invocations({ function: 'of-node' })) ids.add(requestId);
    assert.equal(ids.size, expected);
    assert.deepEqual([(await figures()).calls, (await figures()).errors], [expected, 0]);
    assert.equal(await apps.python.calls('of-node'), expected);

    await apps.server.remove('of-node');
    await assert.rejects(apps.node.platform.functionGet('of-node'), NotFoundError);
    // Python may run what it has read within the same staleness.
    await until(() =>
      apps.python.invoke('of-node', { n: 3 }).then(
        () => false,
        (error) => /NotFound/.test(error.message),
      ),
    );
  });
}

async function openNode(t, dataDir, store) {
  const platform = await Platform.open({ dataDir, store });
  t.after(() => platform.close());
  return {
    platform,
    deploy: (name, source) => platform.deploy({ name, code: source, ...CONFIG }),
    invoke: (name, event) => platform.invoke(name, event),
  };
}

async function openServer(t, dataDir, store) {
  const env = { ...process.env, LAMBDA_DATA_DIR: dataDir, LAMBDA_LISTEN: '127.0.0.1:0' };
  const server = start(t, process.env.LAMBDA_BINARY, ['serve', '--store', store], env);
  const url = await server.says(/http:\/\/127\.0\.0\.1:\d+/);
  const call = async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
    return response.status === 204 ? undefined : response.json();
  };
  return {
    async deploy(name, source) {
      const found = await fetch(`${url}/functions/${name}`);
      await found.arrayBuffer();
      if (found.ok) return call('PUT', `/functions/${name}`, { code: source, ...CONFIG });
      return call('POST', '/functions', { name, code: source, ...CONFIG });
    },
    invoke: async (name, event) => (await call('POST', '/functions/execute', { name, event })).output,
    remove: (name) => call('DELETE', `/functions/${name}`),
  };
}

/** Python, with requests and answers as lines of JSON. */
async function openPython(t, dataDir, store) {
  const program = `
import asyncio, json, sys, lambdabox

async def answer(platform, request):
    id, operation, args = request
    try:
        if operation == "deploy":
            await platform.deploy(args[0], args[1], language="javascript", handler="index.handler")
            result = None
        elif operation == "calls":
            result = (await platform.invocation_summary(function=args[0])).totals.calls
        else:
            result = await platform.invoke(*args)
        print(json.dumps([id, True, result]), flush=True)
    except lambdabox.Error as error:
        print(json.dumps([id, False, repr(error)]), flush=True)

async def main():
    async with lambdabox.AsyncPlatform(sys.argv[1], store=sys.argv[2]) as platform:
        print("open", flush=True)
        running = set()
        while line := await asyncio.to_thread(sys.stdin.readline):
            task = asyncio.create_task(answer(platform, json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

asyncio.run(main())
`;
  const app = start(t, process.env.LAMBDA_TEST_PYTHON, ['-c', program, dataDir, store], process.env);
  await app.says(/^open$/m);
  const waiting = new Map();
  app.lines((line) => {
    if (!line.startsWith('[')) return;
    const [id, worked, result] = JSON.parse(line);
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (worked) resolve(result);
    else reject(new Error(result));
  });
  let count = 0;
  const ask = (operation, ...args) =>
    new Promise((resolve, reject) => {
      count += 1;
      waiting.set(count, { resolve, reject });
      app.child.stdin.write(`${JSON.stringify([count, operation, args])}\n`);
    });
  return {
    deploy: (name, source) => ask('deploy', name, source),
    invoke: (name, event) => ask('invoke', name, event),
    calls: (name) => ask('calls', name),
  };
}

/** A program that ends with the test. */
function start(t, program, args, env) {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const seen = [];
  const listeners = [(line) => seen.push(line)];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => listeners.forEach((listen) => listen(line)));
  }
  t.after(async () => {
    // The server ends by the signal, the application by the end of its input.
    child.stdin.end();
    if (program === process.env.LAMBDA_BINARY) child.kill('SIGTERM');
    await ended;
  });
  return {
    child,
    lines: (listen) => listeners.push(listen),
    async says(pattern) {
      let found;
      await until(() => {
        found = pattern.exec(seen.join('\n'))?.[0];
        assert.equal(child.exitCode, null, `it ended: ${seen.join('\n')}`);
        return found;
      });
      return found;
    },
  };
}

async function until(condition) {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
