'use strict';
// What is told of processes that were started, between two invocations.

const { test } = require('node:test');
const assert = require('node:assert/strict');
const path = require('path');
const { spawnSync } = require('child_process');
const { OWN_NAMESPACE, canUnshare } = require('./host.js');

// What `mayHaveBeen` says after each of the steps, in a process namespace of its own.
function told(...steps) {
  const lines = [
    `const { Births } = require(${JSON.stringify(path.join(__dirname, '..', 'tidy.js'))});`,
    "const fs = require('fs'); const { spawn, spawnSync } = require('child_process');",
    'const births = new Births(); let child;',
    ...steps.map((step) => `${step}; console.log(births.mayHaveBeen());`),
    'child?.kill();',
  ];
  const [command, ...args] = [...OWN_NAMESPACE, process.execPath, '-e', lines.join('\n')];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').slice(0, -1).map((word) => word === 'true');
}

test('births', { skip: !canUnshare() && 'needs the right to make a process namespace' }, async (t) => {
  await t.test('a process is noticed, dead or alive', () => {
    const alive = "child = spawn('sleep', ['4242'], { stdio: 'ignore' })";
    const dead = "spawnSync('true')";
    assert.deepEqual(told('', '', alive, '', dead, ''), [true, false, true, false, true, false]);
  });

  await t.test('after a killing it is not known', () => {
    assert.deepEqual(told('', 'births.forget()', ''), [true, true, false]);
  });

  await t.test('a function that closes or takes the descriptor changes nothing for the worse', () => {
    assert.deepEqual(told('', 'fs.closeSync(births._fd)', ''), [true, true, true]);
    const taken = "fs.closeSync(births._fd); while (fs.openSync(process.execPath) !== births._fd);";
    assert.deepEqual(told('', taken, ''), [true, true, true]);
  });
});
