// Tokens by hand: made with scopes, shown once and copied, used, and revoked after a question; and
// what somebody sees whose token may not do that.
"use strict";

const { api, assert, finish, inBrowser, open, unlock } = require("./kit.cjs");

const HOSTILE = '<img src=x onerror="window.harmed=1">';

const status = async (secret, path) => (await fetch(process.env.URL + path, { headers: { Authorization: `Bearer ${secret}` } })).status;

async function make(page, name, scopes) {
  await page.fill("#token-name", name);
  for (const box of await page.locator("#token-new input[name=scope]").all()) await box.setChecked(scopes.includes(await box.inputValue()));
  await page.click("#token-make");
}

async function test(page) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("#go-tokens");
  await page.waitForSelector("#lock-title");
  await unlock(page, "wrong");
  await page.waitForSelector('#token-message:has-text("Wrong")');
  assert.equal(await page.locator("#tokens").count(), 0, "nothing is shown before");
  await unlock(page);
  await page.waitForSelector("#tokens .empty");

  await make(page, "ci", []);
  await page.waitForSelector('#token-new [role=alert]:has-text("at least one scope")');
  assert.deepEqual(await api("GET", "/tokens"), []);

  await make(page, "ci", ["invoke", "functions:read"]);
  const secret = await page.inputValue("#token-secret");
  await page.click("#token-copy");
  await page.waitForSelector('#token-told:has-text("Copied")');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await page.waitForSelector("#tokens li:has-text('ci') .chip:text-is('functions:read')");
  assert.equal(await status(secret, "/functions"), 200);
  assert.equal(await status(secret, "/tokens"), 403);

  await page.click("#token-done");
  assert.equal(await page.locator("#token-made").count(), 0);
  await page.reload();
  await page.waitForSelector("#tokens li:has-text('ci')");
  assert.ok(!(await page.content()).includes(secret), "it is shown once");

  await make(page, HOSTILE, ["metrics:read"]);
  await page.waitForSelector("#token-made");
  await page.waitForFunction((name) => [...document.querySelectorAll("#tokens strong")].some((own) => own.textContent === name), HOSTILE);
  assert.equal(await page.locator("#app img").count(), 0);
  assert.equal(await page.evaluate(() => window.harmed), undefined);

  const revoke = page.locator("#tokens li:has-text('ci') .revoke");
  await revoke.click();
  await page.click("dialog >> text=Cancel");
  assert.equal(await status(secret, "/functions"), 200, "a question is no order");
  await revoke.click();
  await page.click("#confirm-yes");
  await page.waitForSelector("#tokens li:has-text('ci')", { state: "detached" });
  assert.equal(await status(secret, "/functions"), 401);

  // A token that may do something else is a right one, and is told what it lacks.
  const { secret: other } = await api("POST", "/tokens", { name: "reader", scopes: ["metrics:read"] });
  await page.click("#token-forget");
  await page.waitForSelector("#lock-title");
  await unlock(page, other);
  await page.waitForSelector("#tokens-denied:has-text('admin')");
  await page.click("#tokens-denied button");
  await page.waitForSelector("#lock-title");
  await unlock(page);
  await page.waitForSelector("#tokens li:has-text('reader')");

  // Withdrawn while it is used: the form comes back.
  const { id, secret: admin } = await api("POST", "/tokens", { name: "second", scopes: ["admin"] });
  await page.click("#token-forget");
  await unlock(page, admin);
  await page.waitForSelector("#tokens li:has-text('second')");
  await api("DELETE", `/tokens/${id}`);
  await open(page, "#/pool");
  await page.waitForSelector("#lock-title");
}

finish(inBrowser(test, { expected: /status of (401|403)/ }));
