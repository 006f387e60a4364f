// What a run writes is there while it still runs, in both runtimes; its button ends it, and so it
// really does: its record says so, and no sandbox is taken any more.
"use strict";

const { api, assert, create, eventually, finish, inBrowser, open, unlock } = require("./kit.cjs");

/** Longer than the test waits for anything: what is seen before is seen while it runs. */
const SLEEP_S = 300;

const SCRIPT = `
import sys, time
print("first line")
time.sleep(1)
print("second line", file=sys.stderr)
time.sleep(${SLEEP_S})
print("never seen")
`;

const shows = (page, text) => page.waitForFunction((text) => document.querySelector("#live")?.textContent.includes(text), text);

/** Nothing of a result yet: the run goes on. */
async function stillRuns(page) {
  assert.equal(await page.locator("#result .badge").count(), 0);
  assert.equal(await page.getAttribute("#result", "aria-busy"), "true");
  const pool = await api("GET", "/pool");
  assert.equal(pool.busy, 1);
}

async function cancelled(page, runtime) {
  const { request_id: id } = (await eventually(async () => {
    const { items } = await api("GET", `/invocations?status=cancelled&runtime=${runtime}&function=slow`);
    return items.length === 1 && items;
  }))[0];
  const record = await api("GET", `/invocations/${id}`);
  assert.match(record.stdout_end, /first line/);
  assert.doesNotMatch(record.stdout_end, /never seen/);
  assert.ok(record.total_ms < (SLEEP_S * 1000) / 2, `${record.total_ms} ms`);
  await eventually(async () => (await api("GET", "/pool")).busy === 0);
}

async function test(page) {
  await create(page, "slow", SCRIPT);
  await api("PUT", "/functions/slow", { timeout_ms: 600_000 });
  for (const runtime of ["docker", "gvisor"]) {
    await open(page, "#/functions");
    await open(page, "#/functions/slow");
    await page.waitForSelector("#run-button");
    await page.check(`input[name=runtime][value=${runtime}]`);
    await page.click("#run-button");
    await shows(page, "first line");
    assert.doesNotMatch(await page.textContent("#live"), /second line/);
    await shows(page, "second line");
    await stillRuns(page);
    await page.click("#cancel");
    await page.waitForSelector("#result .badge.cancelled");
    assert.match(await page.textContent("#result"), /first line/);
    await cancelled(page, runtime);
  }

  // Whoever follows the function sees a run of somebody else's as it goes on.
  await page.click("#go-metrics");
  await unlock(page);
  await page.waitForSelector("#metrics");
  await open(page, "#/functions/slow?tab=logs");
  await page.waitForSelector("#logs-title .live-mark");
  // The stream begins when the server has the request, which the page cannot see: until then, again.
  const runs = [];
  await eventually(async () => {
    runs.push(api("POST", "/functions/execute", { name: "slow", timeout_ms: 4000 }));
    await page.waitForFunction(() => document.querySelector(".log")?.textContent.includes("first line"), null, { timeout: 3000 });
    return true;
  });
  assert.equal(await page.locator(".log-end").count(), 0, "it has not ended");
  await page.waitForSelector(".log-end:has-text('timeout')");
  await Promise.all(runs);
}

finish(inBrowser(test));
