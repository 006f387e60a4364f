// The original end-to-end log, by a person's hands: create, execute, gVisor, timeout, a wrong token
// that shows nothing, a right one that shows charts; then versions, settings and deletion.
"use strict";

const { assert, create, finish, inBrowser, open, run, unlock } = require("./kit.cjs");

async function functions(page) {
  await page.waitForSelector("#functions .empty");
  await create(page, "hello", "import sys\nprint(f'Hello, {sys.argv[1]}!')\n");
  for (const runtime of ["docker", "gvisor"]) {
    assert.ok((await run(page, "Alice", runtime, "success")).includes("Hello, Alice!"));
  }
  assert.match(await page.textContent("#result .timings-key"), /Queue.*Boot.*Init.*Run.*Total/s);

  await create(page, "infinite", "while True: pass\n");
  const shown = await run(page, "", "docker", "timeout");
  assert.match(shown.join("\n"), /Task timed out after 3\.00 seconds/);

  await create(page, "echo", "def handler(event, context):\n    return event\n", "main.handler");
  const output = await run(page, '{"a": [1, "zwei"]}', "docker", "success");
  assert.ok(output.includes('{\n  "a": [\n    1,\n    "zwei"\n  ]\n}'));
  await page.fill("#input", "{not JSON");
  await page.click("#run-button");
  await page.waitForSelector('#result [role=alert]:has-text("The event is not JSON.")');
}

async function metrics(page) {
  await page.click("#go-metrics");
  await unlock(page, "wrong");
  await page.waitForSelector('#token-message:has-text("Wrong token")');
  assert.equal(await page.locator("#metrics, .uplot").count(), 0, "a wrong token shows no metrics");

  await unlock(page);
  await page.waitForSelector("#bars li");
  assert.equal(await page.locator("#bars li").count(), 3);
  assert.match(await page.textContent('#bars li:has-text("infinite")'), /1 call, 1 error \(100 %\)/);
  assert.match(await page.textContent('#bars li:has-text("hello")'), /2 calls, no errors/);
  assert.equal(await page.locator("#metrics .uplot canvas").count(), 3, "rate, durations, starts");
  for (const label of ["Calls per minute", "Duration", "Cold and warm starts"]) {
    const chart = page.locator(`.plot[aria-label^="${label}."]`);
    assert.equal(await chart.count(), 1, `${label} has a text alternative`);
  }
  await page.click("figure:has(h3:text-is('Duration')) summary");
  await page.waitForSelector("figure table tbody tr");
  // The canvas is not empty.
  const drawn = await page.evaluate(() => {
    const canvas = document.querySelector(".uplot canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value !== 0);
  });
  assert.ok(drawn);
}

async function invocations(page) {
  await page.click("#go-invocations");
  await page.waitForSelector("#invocations tbody tr");
  assert.equal(await page.locator("#invocations tbody tr").count(), 4);
  await page.selectOption("#status", "error");
  await page.waitForFunction(() => document.querySelectorAll("#invocations tbody tr").length === 1);
  assert.match(await page.textContent("#invocations tbody tr"), /infinite.*timeout/);
  await page.selectOption("#status", "success");
  await page.selectOption("#function", "hello");
  await page.waitForFunction(() => document.querySelectorAll("#invocations tbody tr").length === 2);
  await page.click("#invocations tbody tr:first-child a");
  await page.waitForSelector('[aria-label="stdout"] pre');
  assert.equal(await page.textContent('[aria-label="stdout"] pre'), "Hello, Alice!\n");
}

async function versions(page) {
  await open(page, "#/functions/hello");
  await page.fill("#code", "import sys\nprint(f'Hallo, {sys.argv[1]}!')\n");
  await page.press("#code", "Control+s");
  await page.waitForSelector('#code-status:has-text("Saved as version 2.")');
  assert.ok((await run(page, "Bob", "docker", "success")).includes("Hallo, Bob!"));
  await page.click(".tabs >> text=Versions");
  await page.waitForSelector(".diff tr.added");
  assert.deepEqual(await page.locator(".diff tr.removed .text").allTextContents(), ["print(f'Hello, {sys.argv[1]}!')"]);
  assert.deepEqual(await page.locator(".diff tr.added .text").allTextContents(), ["print(f'Hallo, {sys.argv[1]}!')"]);
  await page.click('[aria-label="Make version 1 current"]');
  await page.click("#confirm-yes");
  await page.waitForSelector('.versions li[aria-current]:has-text("Version 1")');
  await page.click(".tabs >> text=Code and run");
  assert.ok((await run(page, "Bob", "docker", "success")).includes("Hello, Bob!"));
}

async function settings(page) {
  await page.click(".tabs >> text=Settings");
  await page.fill("#timeout_ms", "1500");
  await page.click("#env-add");
  await page.fill('[aria-label="Name of variable 1"]', "GREETING");
  await page.fill('[aria-label="Value of variable 1"]', "Hallo");
  await page.click("#settings-save");
  await page.waitForSelector('#settings-status:has-text("Saved as version 3.")');
  await page.fill("#memory_mib", "63");
  await page.evaluate(() => document.querySelector("form[aria-label=Settings]").setAttribute("novalidate", ""));
  await page.click("#settings-save");
  await page.waitForSelector('form [role=alert]:has-text("64")');
  await page.click("#delete");
  await page.click("#confirm-yes");
  await page.waitForSelector(".card");
  assert.equal(await page.locator('.card:has-text("hello")').count(), 0);
}

async function log(page) {
  await functions(page);
  await metrics(page);
  await invocations(page);
  await versions(page);
  await settings(page);
}

// The refused token, the refused setting, and parts that a server need not have.
finish(inBrowser(log, { expected: /status of (400|401|404|405)/ }));
