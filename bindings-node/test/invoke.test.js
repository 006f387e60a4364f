'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');

const { ClosedError, FunctionError, InvalidParameterError, LambdaError, NotFoundError } = require('..');
const { open, deploy, until } = require('./support');

test('events and results are ordinary values', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'echo');
  for (const value of [null, 0, '', 'ü€😀', [1, [2]], { a: { b: true } }]) {
    assert.deepEqual(await platform.invoke('echo', value), value);
  }
  assert.deepEqual(await platform.invoke('echo'), {});
  await assert.rejects(platform.invoke('echo', 1n), TypeError);
  await assert.rejects(platform.invoke('missing', 1), NotFoundError);
});

test('an outcome tells everything', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'echo');
  const outcome = await platform.execute('echo', { event: { a: 1 } });
  assert.equal(outcome.status, 'success');
  assert.deepEqual(outcome.output, { a: 1 });
  assert.equal(outcome.stdout, 'echo to stdout\n');
  assert.equal(outcome.stderr, 'echo to stderr\n');
  assert.ok(outcome.timings.totalMs > 0);
  await platform.deploy({ name: 'script', language: 'python', code: 'fake:exit' });
  assert.deepEqual((await platform.execute('script', { args: ['3'] })).exitCode, 3);
});

test('a failing function is a FunctionError with its own stack', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'raise');
  await assert.rejects(platform.invoke('raise', { message: 'no such order' }), (error) => {
    assert.ok(error instanceof FunctionError && error instanceof LambdaError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.type], ['FunctionError', 'FunctionError', 'CaseError']);
    assert.equal(error.message, 'no such order');
    assert.match(error.remoteStack[0], /case\.py/);
    assert.equal(error.outcome.status, 'function_error');
    assert.match(error.stack, /invoke\.test\.js/);
    return true;
  });
  await deploy(platform, 'spin');
  const slow = platform.invoke('spin', {}, { timeoutMs: 20 });
  await assert.rejects(slow, (error) => error instanceof FunctionError && error.status === 'timeout');
});

test('aborting kills the sandbox and rejects with the reason', async (t) => {
  const platform = await open(t, { pool: { prewarmed: 0 } });
  await deploy(platform, 'spin');
  const stop = new AbortController();
  const call = platform.invoke('spin', {}, { signal: stop.signal });
  call.catch(() => {});
  await until(() => platform.poolStats().busy === 1);
  const reason = new Error('the visitor has gone');
  stop.abort(reason);
  await assert.rejects(call, (error) => error === reason);
  await until(() => {
    const { busy, idle, removing } = platform.poolStats();
    return busy + idle + removing === 0;
  });
  await assert.rejects(platform.invoke('spin', {}, { signal: stop.signal }), (error) => error === reason);
  const timed = platform.execute('spin', { signal: AbortSignal.timeout(30) });
  await assert.rejects(timed, { name: 'TimeoutError' });
});

test('an invocation shows its logs while it runs, and can be cancelled', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'spin');
  const invocation = await platform.start('spin');
  const seen = [];
  for await (const chunk of invocation.logs()) {
    seen.push(chunk);
    invocation.cancel();
  }
  assert.deepEqual(seen, [{ stream: 'stdout', text: 'spinning\n' }]);
  assert.equal((await invocation.outcome()).status, 'cancelled');
  assert.equal(await invocation.outcome(), await invocation.outcome());
  await assert.rejects(invocation.logs().next(), /being read already/);
});

test('map keeps the order, bounds what runs at once and stops at a failure', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'sleep');
  let taken = 0;
  async function* events() {
    for (const ms of [20, 1, 1, 1, 1, 1]) {
      taken += 1;
      yield { ms };
    }
  }
  const results = [];
  for await (const result of platform.map('sleep', events(), { concurrency: 2 })) {
    assert.ok(taken - results.length <= 2);
    results.push(result.ms);
  }
  assert.deepEqual(results, [20, 1, 1, 1, 1, 1]);

  await deploy(platform, 'raise');
  let closed = false;
  function* endless() {
    try {
      for (;;) yield { message: 'x' };
    } finally {
      closed = true;
    }
  }
  await assert.rejects(async () => {
    for await (const _ of platform.map('raise', endless(), { concurrency: 4 }));
  }, FunctionError);
  assert.ok(closed);
});

test('map tells its progress, and yields failures where it is told to', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'sleep');
  const progress = [];
  const tell = (finished) => progress.push(finished);
  const events = [{ ms: 100 }, { ms: 1 }, { ms: 1 }];
  for await (const _ of platform.map('sleep', events, { concurrency: 3, progress: tell })) {
    // The first one takes longest: when it is there the others are, too.
    assert.deepEqual(progress, [1, 2, 3]);
  }
  await deploy(platform, 'raise');
  const failures = [];
  const how = { concurrency: 2, progress: tell, returnErrors: true };
  for await (const it of platform.map('raise', [{ message: 'a' }, { message: 'b' }], how)) failures.push(it);
  assert.deepEqual(failures.map(({ message }) => message), ['a', 'b']);
  assert.ok(failures.every((it) => it instanceof FunctionError));
  assert.deepEqual(progress, [1, 2, 3, 1, 2]);
  // An abort is no failure of one event.
  const stop = new AbortController();
  const reason = new Error('enough');
  await assert.rejects(async () => {
    for await (const _ of platform.map('sleep', events, { ...how, signal: stop.signal })) stop.abort(reason);
  }, (error) => error === reason);
});

test('a function gets the trace of its caller', async (t) => {
  const platform = await open(t);
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
  const spec = { language: 'python', code: 'fake:traceparent', handler: 'case.handler' };
  await platform.deploy({ name: 'traced', ...spec });
  const expected = ({ requestId }) => `00-${trace}-${requestId.replaceAll('-', '').slice(-16)}-01`;
  for (const outcome of [
    await platform.execute('traced', { traceparent }),
    await (await platform.start('traced', { traceparent })).outcome(),
    await platform.test(spec, { traceparent }),
    await (await platform.startTest(spec, { traceparent })).outcome(),
  ]) {
    assert.equal(outcome.output, expected(outcome));
  }
  assert.equal(await platform.invoke('traced'), null);
  assert.match(await platform.invoke('traced', {}, { traceparent }), new RegExp(`^00-${trace}-`));
  for await (const it of platform.map('traced', [1], { traceparent })) assert.match(it, new RegExp(trace));
  await assert.rejects(platform.invoke('traced', {}, { traceparent: '00-1-2-3' }), InvalidParameterError);
});

test('a function that names no runtime runs in docker', async (t) => {
  const platform = await open(t, { runtimes: ['gvisor', 'docker'] });
  assert.equal((await deploy(platform, 'echo')).runtime, 'docker');
});

test('a thousand calls at once', async (t) => {
  const platform = await open(t, { pool: { queueMax: 2000 } });
  await deploy(platform, 'echo');
  const calls = Array.from({ length: 1000 }, (_, i) => platform.invoke('echo', i));
  assert.deepEqual(await Promise.all(calls), Array.from({ length: 1000 }, (_, i) => i));
});

test('the event loop goes on while functions run', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'sleep');
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 5);
  await platform.invoke('sleep', { ms: 300 });
  clearInterval(timer);
  assert.ok(ticks >= 10, `${ticks} ticks`);
});

test('what has been run is recorded', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'echo');
  const { requestId } = await platform.execute('echo', { event: 1 });
  await platform.execute('echo', { event: 2 });
  await until(async () => (await platform.invocationList({ function: 'echo' })).items.length === 2);
  const entry = await platform.invocationGet(requestId);
  assert.deepEqual([entry.status, entry.stdout], ['success', 'echo to stdout\n']);
  assert.ok(entry.startedAt instanceof Date);
  const ids = [];
  for await (const it of platform.invocations({ limit: 1, status: 'success' })) ids.push(it.requestId);
  assert.equal(ids.length, 2);
  assert.ok(ids.includes(requestId));
  const summary = await platform.invocationSummary({ function: 'echo', bucket: 'minute' });
  assert.equal(summary.totals.calls, 2);
  assert.equal(summary.functions[0].name, 'echo');
  const findings = await platform.check();
  assert.ok(findings.some((it) => it.subject === 'store' && it.severity === 'ok'));
});

test('several platforms live side by side, and a closed one says so', async (t) => {
  const [one, two] = [await open(t), await open(t)];
  await deploy(one, 'echo');
  await assert.rejects(two.functionGet('echo'), NotFoundError);
  await one.close();
  await assert.rejects(one.invoke('echo', 1), ClosedError);
  await deploy(two, 'echo');
  assert.equal(await two.invoke('echo', 1), 1);
  if (Symbol.asyncDispose) {
    await two[Symbol.asyncDispose]();
    await assert.rejects(two.invoke('echo', 1), ClosedError);
  }
});
