// Create and run a function without a pointer, and see at each step where one is.
"use strict";

const { assert, finish, inBrowser } = require("./kit.cjs");

const focused = (page) =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    const { outlineStyle } = getComputedStyle(element);
    const around = element.closest(".choice label, .upload, .editor");
    const seen = [element, around, element.nextElementSibling, around?.querySelector(".button")].some((part) => part && getComputedStyle(part).outlineStyle !== "none");
    return { id: element.id, name: element.name ?? "", label: element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 40), outlineStyle, seen };
  });

/** Presses Tab until `isThere`, and checks that the focus is always visible. */
async function tabTo(page, isThere, key = "Tab") {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press(key);
    const at = await focused(page);
    assert.ok(at.seen || at.id === "main" || at.label.startsWith("λ") || at.id === "", `the focus is not seen at ${JSON.stringify(at)}`);
    if (isThere(at)) return;
  }
  assert.fail(`not reached: ${isThere}; the focus is at ${JSON.stringify(await focused(page))}`);
}

async function test(page) {
  await page.waitForSelector("#functions .empty");
  await page.keyboard.press("Tab");
  assert.equal((await focused(page)).label, "Skip to content");
  await tabTo(page, ({ id }) => id === "new");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#create-name:focus");
  await page.keyboard.type("typed");

  await tabTo(page, ({ name }) => name === "language");
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.isChecked("input[value=javascript]"));
  await page.keyboard.press("ArrowLeft");

  await tabTo(page, ({ id }) => id === "create-code");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("import sys\nfor n in sys.argv[1:]:\nprint('Hello,', n)");
  const code = "import sys\nfor n in sys.argv[1:]:\n    print('Hello,', n)";
  assert.equal(await page.inputValue("#create-code"), code, "a block is indented");
  await page.keyboard.press("Tab");
  assert.equal(await page.inputValue("#create-code"), `${code}    `, "Tab indents");
  await page.keyboard.press("Control+z");
  const undone = await page.inputValue("#create-code");
  assert.ok(code.startsWith(undone), "and can be undone");
  await page.keyboard.press("Control+Shift+z");
  assert.equal(await page.inputValue("#create-code"), `${code}    `, "and done again");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.notEqual((await focused(page)).id, "create-code", "Escape, then Tab leaves the editor");

  await tabTo(page, ({ id }) => id === "create-save", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector('#run-title:text-is("typed")');
  await tabTo(page, ({ id }) => id === "input");
  await page.keyboard.type("Ada");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector('[aria-label="Output"] pre:text-is("Hello, Ada")');

  await tabTo(page, ({ label }) => label === "Settings", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#delete");
  await page.focus("#delete");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  assert.ok(await page.evaluate(() => document.querySelector("dialog").contains(document.activeElement)));
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  assert.equal(await page.textContent("#run-title"), "typed", "Escape deletes nothing");
}

finish(inBrowser(test));
