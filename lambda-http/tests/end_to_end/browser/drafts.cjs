// What a person types is kept: also the moment a field appears, and while what was typed is saved.
"use strict";

const { api, assert, create, finish, inBrowser, open } = require("./kit.cjs");

/** Types into a field in the very task that makes it, before the page's own effects can run. */
async function typeAtOnce(page, selector, text, place) {
  await page.evaluate(
    ({ selector, text, place }) => {
      new MutationObserver((_, observer) => {
        const field = document.querySelector(selector);
        if (field === null) return;
        observer.disconnect();
        field.value = text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }).observe(document.body, { childList: true, subtree: true });
      location.hash = place;
    },
    { selector, text, place },
  );
  await page.waitForSelector(selector);
  // Effects run after a frame; two of them, and the timer that stands in for one, are enough.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200)))));
  assert.equal(await page.inputValue(selector), text, `${selector} keeps what was typed at once`);
}

async function test(page) {
  await page.waitForSelector("#functions .empty");
  await create(page, "draft", "print(1)\n");

  await open(page, "#/functions");
  await page.waitForSelector(".card");
  await typeAtOnce(page, "#code", "print(2)\n", "#/functions/draft");

  // The answer is held back until more was typed.
  let answer;
  const isHeld = new Promise((held) => {
    page.route(`**/functions/*`, async (route) => {
      if (route.request().method() !== "PUT") return route.continue();
      held();
      await new Promise((go) => {
        answer = go;
      });
      return route.continue();
    });
  });
  await page.press("#code", "Control+s");
  await isHeld;
  await page.fill("#code", "print(3)\n");
  answer();
  await page.waitForSelector(".head:has-text('version 2')");
  await page.waitForSelector("#code-status:has-text('Unsaved changes')");
  assert.equal(await page.inputValue("#code"), "print(3)\n");
  await page.unroute(`**/functions/*`);
  await page.press("#code", "Control+s");
  await page.waitForSelector("#code-status:has-text('Saved as version 3.')");

  await typeAtOnce(page, "#timeout_ms", "1234", "#/functions/draft?tab=settings");
  await page.click("#settings-save");
  await page.waitForSelector("#settings-status:has-text('Saved as version 4.')");
  assert.equal(await page.inputValue("#timeout_ms"), "1234");

  const saved = await api("GET", "/functions/draft");
  assert.deepEqual([saved.version, saved.code, saved.timeout_ms], [4, "print(3)\n", 1234]);
}

finish(inBrowser(test));
