'use strict';
const assert = require('node:assert/strict');
const { mkdirSync, mkdtempSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');

const { ConflictError, InvalidParameterError, NotFoundError, PreconditionFailedError } = require('..');
const { open, deploy } = require('./support');

test('a function is deployed, read, changed, rolled back and deleted', async (t) => {
  const platform = await open(t);
  const first = await deploy(platform, 'echo');
  assert.equal(first.version, 1);
  assert.ok(first.createdAt instanceof Date && Date.now() - first.createdAt < 60_000);
  const second = await platform.functionUpdate('echo', { description: 'new', concurrency: 3 });
  assert.deepEqual([second.version, second.description, second.concurrency], [2, 'new', 3]);
  const third = await platform.functionUpdate('echo', { concurrency: null });
  assert.equal(third.concurrency, undefined);
  assert.equal((await platform.functionGet('echo', 2)).concurrency, 3);
  assert.deepEqual(await platform.functionCode('echo'), { code: 'fake:echo' });

  assert.equal((await platform.rollback('echo', 1)).version, 1);
  await assert.rejects(
    platform.rollback('echo', 2, { expectedRevision: first.revision }),
    PreconditionFailedError,
  );
  await platform.aliasSet('echo', 'stable', 2);
  assert.deepEqual(await platform.aliasList('echo'), [
    { name: 'current', version: 1 },
    { name: 'stable', version: 2 },
  ]);
  assert.equal((await platform.functionGet('echo', 'stable')).version, 2);
  await platform.aliasDelete('echo', 'stable');
  assert.deepEqual((await platform.versionList('echo')).items.map((it) => it.version), [3, 2, 1]);

  await platform.functionDelete('echo');
  await assert.rejects(platform.functionGet('echo'), NotFoundError);
});

test('code comes from a string, a file, a directory or a zip', async (t) => {
  const platform = await open(t);
  const root = mkdtempSync(join(tmpdir(), 'lbx-code-'));
  writeFileSync(join(root, 'hello.py'), 'fake:args');
  const file = await platform.deploy({ path: join(root, 'hello.py') });
  assert.deepEqual([file.name, file.language, file.codeFormat], ['hello', 'python', 'inline']);
  mkdirSync(join(root, 'shop'));
  writeFileSync(join(root, 'shop', 'app.mjs'), 'export const handler = () => 1;');
  const packed = await platform.deploy({ path: join(root, 'shop'), handler: 'app.handler' });
  assert.deepEqual([packed.name, packed.language, packed.codeFormat], ['shop', 'javascript', 'zip']);
  const { zip } = await platform.functionCode('shop');
  assert.ok(Buffer.isBuffer(zip));
  const again = await platform.deploy({ name: 'copy', language: 'javascript', handler: 'app.handler', zip });
  assert.equal(again.codeSha256, packed.codeSha256);
  await assert.rejects(platform.deploy({ path: join(root, 'nowhere.py') }), InvalidParameterError);
});

test('listings are pages, and all of them one iteration', async (t) => {
  const platform = await open(t);
  for (let i = 0; i < 5; i += 1) await deploy(platform, `f${i}`, 'echo');
  const page = await platform.functionList({ limit: 2 });
  assert.deepEqual(page.items.map((it) => it.name), ['f4', 'f3']);
  const rest = await platform.functionList({ limit: 2, cursor: page.next });
  assert.deepEqual(rest.items.map((it) => it.name), ['f2', 'f1']);
  const names = [];
  for await (const it of platform.functions({ limit: 2 })) names.push(it.name);
  assert.deepEqual(names, ['f4', 'f3', 'f2', 'f1', 'f0']);
});

test('bad input is refused with what to do next', async (t) => {
  const platform = await open(t);
  await deploy(platform, 'echo');
  const refused = (promise, message) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof InvalidParameterError, String(error));
      assert.equal(error.code, 'InvalidParameterValueException');
      assert.match(error.message, message);
      assert.match(error.stack, /functions\.test\.js/);
      return true;
    });
  await refused(platform.deploy({ name: 'x', language: 'python', code: '1', timeout: 5 }), /no field `timeout`.*timeoutMs/);
  await refused(platform.deploy({ name: 'x', language: 'python' }), /`code` is missing/);
  await refused(platform.deploy({ name: 'x', code: '1' }), /`language` is missing/);
  await refused(platform.deploy({ name: 'a b', language: 'python', code: '1' }), /1 to 64 characters/);
  await refused(platform.execute('echo', { args: [1] }), /array of strings/);
  await refused(platform.execute('echo', { args: ['a'], event: 1 }), /not both/);
  await refused(platform.invoke('echo', () => {}), /this is a function/);
  await refused(platform.invoke('echo', 1, { timeoutMs: 0.5 }), /whole number/);
  await refused(platform.functionUpdate('echo', { memoryMib: null }), /cannot be null/);
  await refused(platform.invocationList({ from: new Date(NaN) }), /valid dates/);
  await assert.rejects(platform.functionCreate({ name: 'echo', language: 'python', code: '1' }), ConflictError);
});
