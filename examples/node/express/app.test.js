import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { Platform } from 'lambdabox';

import { webhooks } from './app.js';

test('a customer uploads a hook, and deliveries run it', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lbx-hooks-'));
  const platform = await Platform.open({ dataDir });
  const server = webhooks(platform).listen(0, '127.0.0.1');
  t.after(async () => {
    server.close();
    await platform.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${server.address().port}/hooks/orders`;
  const put = (body) => fetch(url, { method: 'PUT', headers: { 'content-type': 'text/javascript' }, body });
  const post = (body) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

  assert.equal((await post({})).status, 404);
  const code = 'exports.handler = async ({ body }) => ({ total: body.items.length });';
  assert.deepEqual(await (await put(code)).json(), { version: 1 });
  assert.deepEqual(await (await post({ items: [1, 2] })).json(), { total: 2 });
  const failed = await post({});
  assert.equal(failed.status, 502);
  assert.equal((await failed.json()).type, 'TypeError');

  const deadline = Date.now() + 10_000;
  let deliveries = [];
  while (deliveries.length < 2) {
    assert.ok(Date.now() < deadline, 'the deliveries were not recorded');
    deliveries = await (await fetch(`${url}/deliveries`)).json();
  }
  assert.deepEqual(deliveries.map((it) => it.status), ['function_error', 'success']);
});
