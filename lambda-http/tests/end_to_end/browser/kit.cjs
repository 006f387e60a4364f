// What the browser tests share: a Chromium, what it complains of, and the steps of a person.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const { BROWSER, PROFILE, URL, TOKEN } = process.env;

/** Runs `test(page)` and fails on whatever the browser complains of. `expected` are complaints that
 * belong to the test: the browser reports refused requests as failed loads. */
async function inBrowser(test, { expected = /(?!)/, ...options } = {}) {
  const context = await chromium.launchPersistentContext(PROFILE, {
    executablePath: BROWSER,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    viewport: { width: 1200, height: 900 },
    // Colours that are on their way are neither the old nor the new.
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !expected.test(message.text())) complaints.push(message.text());
  });
  try {
    await page.goto(URL);
    await test(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** A place of the page, by its address. */
async function open(page, place) {
  await page.evaluate((to) => {
    location.hash = to;
  }, place);
}

async function create(page, name, code, handler = "") {
  await open(page, "#/functions");
  await page.click("#new");
  await page.fill("#create-name", name);
  if (handler !== "") {
    await page.check('input[name=kind][value="handler"]');
    await page.click("#create-form summary");
    await page.fill("#create-handler", handler);
  }
  await page.fill("#create-code", code);
  await page.click("#create-save");
  await page.waitForSelector(`#run-title:text-is("${name}")`);
}

/** Runs the function that is shown, and answers with the texts of its result. */
async function run(page, input, runtime, status) {
  await page.fill("#input", input);
  await page.check(`input[name=runtime][value=${runtime}]`);
  const id = () => document.querySelector("#result .facts code")?.textContent;
  const before = await page.evaluate(id);
  await page.click("#run-button");
  await page.waitForFunction((old) => {
    const shown = document.querySelector("#result .facts code")?.textContent;
    return shown !== undefined && shown !== old;
  }, before);
  assert.equal(await page.textContent("#result .badge"), status);
  assert.match(await page.textContent("#result"), new RegExp(`in ${runtime}`));
  return page.locator("#result pre").allTextContents();
}

async function unlock(page, secret = TOKEN) {
  await page.fill("#token", secret);
  await page.click("#token-save");
}

/** The API, as a script of the page would call it. */
async function api(method, path, body) {
  const headers = { Authorization: `Bearer ${TOKEN}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(URL + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** An archive of files, in base64; made by Python: Node cannot. */
function archive(files) {
  const directory = fs.mkdtempSync(path.join(PROFILE, "archive-"));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text);
  execFileSync("python3", ["-m", "zipfile", "-c", "code.zip", ...Object.keys(files)], { cwd: directory });
  return fs.readFileSync(path.join(directory, "code.zip"), "base64");
}

/** Asks until the answer is there: records reach the store a moment after the result. */
async function eventually(ask) {
  const end = Date.now() + 20_000;
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer) return answer;
    assert.ok(Date.now() < end, `no answer: ${ask}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Ends the process with the test's verdict. */
function finish(promise) {
  promise.catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}

module.exports = { api, archive, assert, create, eventually, finish, inBrowser, open, run, unlock };
