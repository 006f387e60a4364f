'use strict';
// The exchanges that the host's tests read too: this side sends what they say.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Host } = require('./host.js');

const FIXTURES = path.join(__dirname, '../../../lambda-core/src/protocol/fixtures');

describe('the bootstrap keeps to each exchange', () => {
  const names = fs.readdirSync(FIXTURES).filter((name) => name.endsWith('.json'));
  const fixtures = names
    .map((name) => ({ name, ...JSON.parse(fs.readFileSync(path.join(FIXTURES, name))) }))
    .filter(({ bootstrap = true, language = 'javascript' }) => bootstrap && language === 'javascript');
  assert.ok(fixtures.length > 5);

  for (const { name, exchange } of fixtures) {
    test(name, async (t) => {
      const host = await Host.start();
      t.after(() => host.stop());
      for (const message of exchange) await play(host, message);
      if (exchange.at(-2).head[0].includes('/init/error')) {
        assert.equal(await host.within(host.exited, 'exit'), 1);
      }
    });
  }
});

async function play(host, message) {
  if (message.from === 'host') {
    host.send(message.head, message.body ?? Buffer.from(message.body_base64, 'base64'));
    return;
  }
  const { line, headers, body } = await host.receive();
  const [expectedLine, ...fields] = message.head;
  assert.equal(line, expectedLine);
  for (const field of fields) {
    const [name, value] = field.split(': ');
    // A body may hold the path of the task root, or other white space.
    const expected = name === 'Content-Length' ? String(Buffer.byteLength(body)) : value;
    assert.equal(headers[name.toLowerCase()], expected);
  }
  if (message.body === '') assert.equal(body, '');
  else {
    const report = JSON.parse(body.replaceAll(host.taskRoot, '/var/task'));
    assert.deepEqual(report, JSON.parse(message.body));
  }
}
