// What runs ask for besides being run: logs that are followed, cancelling, tests of code, tokens,
// settings of functions and platforms.
'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');

const { InvalidParameterError, NotFoundError, PreconditionFailedError } = require('..');
const { open, deploy, until } = require('./support');

const code = (name) => ({ language: 'python', code: `fake:${name}`, handler: 'case.handler' });

async function take(logs, count) {
  const events = [];
  while (events.length < count) events.push((await logs.next()).value);
  return events;
}

test('code that is not deployed is run', async (t) => {
  const platform = await open(t);
  const outcome = await platform.test(code('echo'), { event: { a: 1 } });
  assert.deepEqual([outcome.status, outcome.output, outcome.functionName], ['success', { a: 1 }, 'test']);
  const script = { name: 'mine', language: 'python', code: 'fake:exit' };
  const exited = await platform.test(script, { args: ['3'] });
  assert.deepEqual([exited.exitCode, exited.functionName], [3, 'mine']);
  assert.equal(await (await platform.startTest(code('echo'), { event: 5 })).result(), 5);
  assert.deepEqual((await platform.functionList()).items, []);
  await assert.rejects(platform.test({ ...code('echo'), memoryMib: 1 }), /memory_mib/);
  await assert.rejects(platform.test(code('echo'), { args: [1] }), /array of strings/);
  await assert.rejects(platform.test(code('echo'), { timeoutMs: 1 }), /no field `timeoutMs`/);
  const stop = new AbortController();
  const running = platform.test({ ...code('spin'), timeoutMs: 60_000 }, { signal: stop.signal });
  await until(() => platform.poolStats().busy === 1);
  stop.abort();
  await assert.rejects(running, { name: 'AbortError' });
});

test('a run is cancelled by its id', async (t) => {
  const platform = await open(t);
  await platform.deploy({ name: 'spin', ...code('spin'), timeoutMs: 60_000 });
  const run = await platform.start('spin');
  await platform.cancel(run.requestId);
  assert.equal((await run.outcome()).status, 'cancelled');
  await assert.rejects(platform.cancel(run.requestId), NotFoundError);
  await assert.rejects(platform.cancel('no id'), InvalidParameterError);
});

test('a function is followed', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'echo');
  await deploy(platform, 'other', 'echo');
  const logs = await platform.followFunction('echo');
  const everything = platform.followAll();
  const other = await platform.execute('other', { event: 1 });
  const outcome = await platform.execute('echo', { event: 1 });
  const seen = await take(logs, 3);
  assert.deepEqual(new Set(seen.map((event) => event.requestId)), new Set([outcome.requestId]));
  const shown = seen.map(({ kind, stream, text }) => [kind, stream, text]);
  assert.deepEqual(shown.sort(), [
    ['end', undefined, undefined],
    ['output', 'stderr', 'echo to stderr\n'],
    ['output', 'stdout', 'echo to stdout\n'],
  ]);
  assert.deepEqual([seen[2].status, seen[2].functionName], ['success', 'echo']);
  assert.ok(seen[0].seenAt instanceof Date);
  const ids = (await take(everything, 6)).map((event) => event.requestId);
  assert.deepEqual(new Set(ids), new Set([other.requestId, outcome.requestId]));
  // What came after the first event, once more.
  const again = await platform.followFunction('echo', { after: seen[0].id });
  assert.deepEqual(await take(again, 2), seen.slice(1));
  assert.throws(() => platform.followAll({ after: 'yesterday' }), InvalidParameterError);
  await assert.rejects(platform.followFunction('nothing'), NotFoundError);
});

test('one invocation is followed while it runs and afterwards', async (t) => {
  const platform = await open(t);
  await platform.deploy({ name: 'spin', ...code('spin'), timeoutMs: 60_000 });
  const run = await platform.start('spin');
  const logs = await platform.followInvocation(run.requestId);
  const [first] = await take(logs, 1);
  assert.deepEqual([first.kind, first.stream, first.text], ['output', 'stdout', 'spinning\n']);
  run.cancel();
  const rest = [];
  for await (const item of logs) rest.push([item.kind, item.status]);
  assert.deepEqual(rest, [['end', 'cancelled']]);
  const after = await platform.followInvocation(run.requestId, { position: first.position });
  const kinds = [];
  for await (const item of after) kinds.push(item.kind);
  assert.deepEqual(kinds, ['end']);
});

test('following ends by leaving the loop, by closing it, and with the platform', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'echo');
  const left = platform.followAll();
  await platform.invoke('echo', 1);
  for await (const event of left) if (event.kind === 'end') break;
  assert.equal((await left.next()).done, true);
  const closed = platform.followAll();
  const waiting = closed.next();
  closed.close();
  assert.equal((await waiting).done, true);
  const last = platform.followAll().next();
  await platform.close();
  assert.equal((await last).done, true);
});

test('tokens are made, found and revoked', async (t) => {
  const platform = await open(t);
  const { token, secret } = await platform.tokenCreate('ci', ['invoke', 'functions:read']);
  assert.deepEqual([token.name, token.scopes], ['ci', ['functions:read', 'invoke']]);
  assert.ok(token.createdAt instanceof Date);
  assert.deepEqual(await platform.tokenFind(secret), token);
  assert.equal(await platform.tokenFind('lambda_wrong'), null);
  assert.deepEqual(await platform.tokenList(), [token]);
  await platform.tokenDelete(token.id);
  assert.equal(await platform.tokenFind(secret), null);
  await assert.rejects(platform.tokenDelete(token.id), NotFoundError);
  await assert.rejects(platform.tokenCreate('ci', ['everything']), /no scope/);
});

test('how it stands is told', async (t) => {
  const platform = await open(t, { journalBytesMax: 1 << 20, liveLogBytes: 0 });
  const runtimes = { docker: true, gvisor: true };
  assert.deepEqual(await platform.readiness(5000), { store: true, runtimes, isReady: true });
  const status = platform.recorderStatus();
  assert.deepEqual([status.journalBytesMax, status.shed, status.store], [1 << 20, 0, undefined]);
  const silent = await open(t, { recording: false });
  assert.equal(silent.recorderStatus(), null);
});

test('functions are kept warm, and their processes', async (t) => {
  const platform = await open(t);
  const info = await platform.deploy({ name: 'echo', ...code('echo'), minWarm: 2 });
  assert.deepEqual([info.minWarm, info.keepProcesses], [2, false]);
  await until(() => platform.poolStats().provisioned[0]?.warm >= 2);
  const [found] = platform.poolStats().provisioned;
  assert.deepEqual([found.functionId, found.version, found.minWarm], [info.id, 1, 2]);
  assert.equal((await platform.execute('echo', { event: 1 })).start, 'warm');
  const kept = await platform.functionUpdate('echo', { minWarm: 0, keepProcesses: true });
  assert.deepEqual([kept.minWarm, kept.keepProcesses], [0, true]);
  await assert.rejects(platform.functionUpdate('echo', { freshProcess: true }), /contradict/);
});

test('a rollback may expect a revision', async (t) => {
  const platform = await open(t);
  const first = await deploy(platform, 'echo');
  const second = await deploy(platform, 'echo');
  const expecting = ({ revision }) => ({ expectedRevision: revision });
  await assert.rejects(platform.rollback('echo', 1, expecting(first)), PreconditionFailedError);
  assert.equal((await platform.rollback('echo', 1, expecting(second))).version, 1);
});

test('options of a platform are taken or refused', async (t) => {
  await open(t, {
    retention: { invocationsMs: Infinity, daysMs: 86_400_000 },
    pool: { cores: 2 },
    containers: { clearTmp: true, cgroupFreezer: false },
  });
  await assert.rejects(open(t, { retention: { years: 1 } }), /no field `years`/);
  await assert.rejects(open(t, { retention: { daysMs: 0.5 } }), /whole number/);
  await assert.rejects(open(t, { journalBytesMax: -1 }), /whole number/);
});
