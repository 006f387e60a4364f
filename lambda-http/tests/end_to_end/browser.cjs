// Drives the page as a person would: the original end-to-end log, and output that would be
// harmful if it were taken for HTML. SCREENSHOTS names a directory to keep pictures in.
"use strict";

const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");

const { BROWSER, PROFILE, URL, TOKEN, SCREENSHOTS } = process.env;
const HARMFUL = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>';

async function create(page, name, code, handler = "") {
  await page.click("#new");
  await page.fill("#create-name", name);
  await page.fill("#create-handler", handler);
  await page.fill("#create-code", code);
  await page.click("#create-save");
  await page.waitForSelector(`#run-title:text-is("${name}")`);
}

async function run(page, input, runtime, status) {
  await page.fill("#input", input);
  await page.check(`input[name=runtime][value=${runtime}]`);
  await page.click("#run button.primary");
  const badge = page.locator("#run .badge");
  await badge.waitFor();
  assert.equal(await badge.textContent(), status);
  assert.match(await page.textContent("#run"), new RegExp(`start in ${runtime}`));
  return page.locator("#run pre").allTextContents();
}

async function shot(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
}

async function log(page) {
  await page.goto(URL);
  await page.waitForSelector("#functions .empty");
  await shot(page, "empty");

  await create(page, "hello", "import sys\nprint(f'Hello, {sys.argv[1]}!')\n");
  for (const runtime of ["docker", "gvisor"]) {
    assert.ok((await run(page, "Alice", runtime, "success")).includes("Hello, Alice!"));
  }
  await shot(page, "run");

  await create(page, "infinite", "while True: pass\n");
  const shown = await run(page, "", "docker", "timeout");
  assert.match(shown.join("\n"), /Task timed out after 3\.00 seconds/);

  await create(page, "harmful", `def handler(event, context):\n    print(event)\n    return event\n`, "main.handler");
  const output = await run(page, JSON.stringify(HARMFUL), "docker", "success");
  assert.ok(output.includes(HARMFUL), "output is shown as text");

  await page.fill("#token", "wrong");
  await page.click("#token-save");
  await page.waitForSelector('#token-message:has-text("Wrong token")');
  assert.equal(await page.locator("#metrics svg").count(), 0, "a wrong token shows no metrics");
  await shot(page, "wrong-token");

  await page.fill("#token", TOKEN);
  await page.click("#token-save");
  await page.waitForSelector("#metrics svg");
  assert.ok((await page.locator("#metrics svg").count()) >= 2, "a bar chart and a line chart");
  await page.waitForFunction(() => document.querySelectorAll("#metrics tbody tr").length >= 4);
  await shot(page, "metrics");
  assert.equal(await page.evaluate(() => window.harmed), undefined);

  await page.setViewportSize({ width: 375, height: 800 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 375, `${wide} pixels on a phone of 375`);
  await shot(page, "phone");
}

async function main() {
  const context = await chromium.launchPersistentContext(PROFILE, {
    executablePath: BROWSER,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    viewport: { width: 1200, height: 900 },
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // The browser itself reports the refused token as a failed load.
    if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
  });
  try {
    await log(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
