// A stranger's first program, with what the tarball brings: check.cjs fake|docker DATA_DIR
// Run by scripts/test-release.sh in a folder that holds nothing but the installed tarball.
'use strict';
const assert = require('node:assert/strict');
const { dirname } = require('node:path');

const { FunctionError, Platform } = require('lambdabox');

const [runtime, dataDir] = process.argv.slice(2);
const isFake = runtime === 'fake';
const failing = `exports.handler = async ({ message }) => { throw new RangeError(message); };`;
const EVENT = { name: 'Älice', numbers: [1, 2.5, null, true] };

async function main() {
  // From the folder, and not from the sources.
  assert.ok(require.resolve('lambdabox').startsWith(dirname(require.main.filename)));
  assert.equal((await import('lambdabox')).Platform, Platform);
  const platform = await Platform.open({
    dataDir,
    runtimes: ['docker'],
    [Symbol.for('lambdabox.fake')]: isFake,
  });
  const handler = { language: 'javascript', handler: 'case.handler' };
  const echo = isFake ? 'fake:echo' : 'exports.handler = async (event) => event;';
  await platform.deploy({ name: 'echo', code: echo, ...handler });
  await platform.deploy({ name: 'fails', code: isFake ? 'fake:raise' : failing, ...handler });
  assert.deepEqual(await platform.invoke('echo', EVENT), EVENT);
  const results = [];
  for await (const it of platform.map('echo', [0, 1, 2, 3, 4], { concurrency: 2 })) results.push(it);
  assert.deepEqual(results, [0, 1, 2, 3, 4]);
  await assert.rejects(
    platform.invoke('fails', { message: 'no such order' }),
    (error) => error instanceof FunctionError && error.message === 'no such order',
  );
  if (!isFake) {
    const double = await platform.deployFunction(async function double(n) { return n * 2; });
    assert.equal(await double(21), 42);
  }
  await platform.close();
  console.log(`Node ${process.versions.node}, ${runtime}: works`);
}

main();
