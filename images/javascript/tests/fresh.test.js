'use strict';
// Handlers whose every invocation is a process of its own.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Host } = require('./host.js');

async function start(t, code) {
  const host = await Host.start();
  t.after(() => host.stop());
  return host.init(code, { fresh_process: true });
}

test('nothing is left in memory', async (t) => {
  const host = await start(
    t,
    `let calls = 0;
    exports.handler = async (event, context) => {
      console.log('call', event.n);
      return [++calls, process.pid, context.awsRequestId, process.env._HANDLER];
    };`,
  );
  const pids = new Set();
  for (let n = 0; n < 4; n++) {
    const answer = await host.invoke({ n });
    const [calls, pid, id, handler] = answer.result;
    assert.deepEqual([calls, id, handler], [1, host.requestId, 'app.handler']);
    assert.equal(answer.stdout, `call ${n}\n`);
    pids.add(pid);
  }
  assert.equal(pids.size, 4);
});

test('large events and results', async (t) => {
  const host = await start(t, 'exports.handler = async (event) => event;');
  const event = { text: '\u20ac'.repeat(1_500_000) };
  for (let n = 0; n < 2; n++) assert.deepEqual((await host.invoke(event)).result, event);
});

test('failures are answers, and the next call is not concerned', async (t) => {
  const host = await start(
    t,
    `exports.handler = async (event) => {
      if (event.fails === 'later') {
        setImmediate(() => { throw new TypeError('uncaught'); });
        return new Promise(() => {});
      }
      if (event.fails) throw new RangeError('on purpose');
      return 1;
    };`,
  );
  for (const [fails, type] of [[true, 'RangeError'], [false], ['later', 'TypeError'], [false]]) {
    const answer = await host.invoke({ fails });
    assert.equal(answer.verdict, type ? 'error' : 'response');
    if (type) assert.equal(answer.result.errorType, type);
  }
});

test('code that cannot be loaded fails the initialisation', async (t) => {
  const host = await Host.start();
  t.after(() => host.stop());
  const report = await host.initError("require('missing');", { fresh_process: true });
  assert.equal(report.errorType, 'Runtime.ImportModuleError');
});

test('an exit is the sandbox\'s', async (t) => {
  for (const [end, status] of [
    ['process.exit(7)', 7],
    ["process.kill(process.pid, 'SIGSEGV')", 'SIGSEGV'],
  ]) {
    const host = await start(t, `exports.handler = async () => { ${end}; await new Promise(() => {}); };`);
    assert.equal((await host.invokeUntilEnd()).status, status, end);
  }
});
