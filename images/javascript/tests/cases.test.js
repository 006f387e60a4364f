'use strict';
// The case functions, as images/cases/README.md describes them.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Host, isRunning, waitUntil } = require('./host.js');

const CASES = path.join(__dirname, '../../cases/javascript');

async function start(t, name, handler = 'case.handler') {
  const host = await Host.start();
  t.after(() => host.stop());
  return host.init(fs.readFileSync(path.join(CASES, name)), { handler });
}

describe('handlers', () => {
  for (const [name, event, result, stdout] of [
    ['echo', [1, { a: null }], [1, { a: null }], 'echo to stdout\n'],
    ['unicode', { text: '你' }, { text: 'é€😀你😀€é' }, '你\n'],
    ['large', { size: 100_000 }, 'x'.repeat(100_000), ''],
    ['sleep', { ms: 1 }, { ms: 1 }, ''],
    ['alloc', { mib: 8 }, { mib: 8 }, ''],
  ]) {
    test(name, async (t) => {
      const answer = await (await start(t, `${name}.mjs`)).invoke(event);
      assert.deepEqual([answer.result, answer.stdout], [result, stdout]);
    });
  }

  test('flood', async (t) => {
    const host = await start(t, 'flood.mjs');
    host.sendEvent('{"mib": 1}');
    const answer = await host.receiveAnswer();
    assert.deepEqual(answer.result, { bytes: 2 ** 20 });
    assert.equal(answer.stdout, `${'x'.repeat(63)}\n`.repeat(2 ** 14));
  });

  test('raise', async (t) => {
    const { result } = await (await start(t, 'raise.mjs')).invoke({ message: 'no' });
    assert.deepEqual([result.errorType, result.errorMessage], ['CaseError', 'no']);
  });

  test('exit', async (t) => {
    const { status, stdout } = await (await start(t, 'exit.mjs')).invokeUntilEnd({ code: 7 });
    assert.deepEqual([status, stdout], [7, 'exiting\n']);
  });

  test('spin', async (t) => {
    const host = await start(t, 'spin.mjs');
    host.sendEvent('{}');
    await waitUntil(() => host.stdout.take() === 'spinning\n');
  });

  test('fork', async (t) => {
    for (const spin of [false, true]) {
      const { result } = await (await start(t, 'fork.mjs')).invoke({ spin });
      t.after(() => process.kill(-result.pid, 'SIGKILL'));
      assert.ok(isRunning(result.pid));
    }
  });
});

describe('scripts', () => {
  for (const [name, args, end, stdout] of [
    ['args', ['a', 'b c'], { exit_code: 0 }, 'a\nb c\n'],
    ['exit', ['7'], { exit_code: 7 }, 'exiting\n'],
    ['raise', ['no'], { exit_code: 1 }, ''],
    ['flood', ['1'], { exit_code: 0 }, `${'x'.repeat(63)}\n`.repeat(2 ** 14)],
    ['signal', ['15'], { signal: 15 }, 'signalling\n'],
    ['alloc', ['8'], { exit_code: 0 }, '8\n'],
  ]) {
    test(name, async (t) => {
      const answer = await (await start(t, `scripts/${name}.js`, null)).run(...args);
      assert.deepEqual([answer.result, answer.stdout], [end, stdout]);
      assert.equal(answer.stderr.includes('CaseError: no'), name === 'raise');
    });
  }
});
