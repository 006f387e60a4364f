'use strict';
// With real sandboxes, from an installed package: node sandboxes.js docker,gvisor
// Run by scripts/test-node.sh in a folder that holds nothing but the package.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, before, test } = require('node:test');

const { FunctionError, Platform } = require('lambdabox');

const RUNTIMES = process.env.LAMBDA_TEST_RUNTIMES.split(',');
const dataDir = mkdtempSync(join(tmpdir(), 'lbx-real-'));
let platform;

before(async () => {
  platform = await Platform.open({ dataDir, pool: { prewarmed: 0 } });
});
after(async () => {
  await platform.close();
  rmSync(dataDir, { recursive: true, force: true });
});

for (const runtime of RUNTIMES) {
  test(`${runtime}: a script with args`, async () => {
    const code = 'import sys\nprint(f"Hello, {sys.argv[1]}!")';
    await platform.deploy({ name: 'hello', language: 'python', code, runtime });
    const outcome = await platform.execute('hello', { args: ['Alice'] });
    assert.deepEqual([outcome.output, outcome.runtime, outcome.exitCode], ['Hello, Alice!', runtime, 0]);
  });

  test(`${runtime}: a live function, called and mapped`, async () => {
    const square = await platform.deployFunction(
      async function square({ n }) {
        const { basename } = require('node:path');
        return { square: n * n, base: basename('/a/b'), pid: typeof process.pid };
      },
      { runtime },
    );
    assert.deepEqual(await square({ n: 7 }), { square: 49, base: 'b', pid: 'number' });
    const squares = [];
    for await (const it of square.map([{ n: 1 }, { n: 2 }, { n: 3 }], { concurrency: 2 })) squares.push(it.square);
    assert.deepEqual(squares, [1, 4, 9]);
  });

  // A warm sandbox often answers before the call returns to the event loop.
  test(`${runtime}: whoever calls in a loop lets others run`, async () => {
    const echo = await platform.deployFunction(function echo(event) { return event; }, { runtime });
    await echo(0);
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    count();
    for (let n = 0; n < 100; n++) {
      const before = turns;
      assert.equal(await echo(n), n);
      assert.ok(turns > before);
    }
    isOver = true;
  });

  test(`${runtime}: an exception keeps its type and its own stack`, async () => {
    const fail = await platform.deployFunction(function fail() { throw new RangeError('too much'); }, { runtime });
    await assert.rejects(fail(), (error) => {
      assert.ok(error instanceof FunctionError);
      assert.deepEqual([error.type, error.message], ['RangeError', 'too much']);
      assert.ok(error.remoteStack.length > 0);
      return true;
    });
  });

  test(`${runtime}: aborting kills the sandbox`, async () => {
    const hang = await platform.deployFunction(function hang() { for (;;); }, { runtime, timeoutMs: 60_000 });
    const stop = new AbortController();
    const call = hang({}, { signal: stop.signal });
    call.catch(() => {});
    const began = Date.now();
    while (platform.poolStats().busy === 0) {
      assert.ok(Date.now() - began < 30_000, 'it never ran');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const aborted = Date.now();
    stop.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.ok(Date.now() - aborted < 5_000);
  });
}

test('an open platform lets the process end', () => {
  const program = `require('lambdabox').Platform.open({ dataDir: ${JSON.stringify(dataDir)}, store: 'sqlite::memory:' })
    .then(() => console.log('open'))`;
  const output = execFileSync(process.execPath, ['-e', program], { timeout: 20_000, encoding: 'utf8' });
  assert.equal(output, 'open\n');
});

test('import and require give the same classes', async () => {
  const imported = await import('lambdabox');
  assert.equal(imported.Platform, Platform);
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(require('lambdabox')).filter((k) => k !== '__esModule').sort());
});
