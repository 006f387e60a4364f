// Files instead of typing: code is tried before it is saved, one file fills the editor, an archive
// is deployed as it is, and both can be replaced.
"use strict";

const fs = require("node:fs");
const { archive, assert, finish, inBrowser, open, run } = require("./kit.cjs");

const zip = (files) => ({ name: "code.zip", mimeType: "application/zip", buffer: Buffer.from(archive(files), "base64") });
const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

async function test(page) {
  await open(page, "#/new");
  await page.setInputFiles("#upload", file("my greeting.mjs", 'console.log("Hi,", process.argv[2]);\n'));
  await page.waitForSelector("input[name=language][value=javascript]:checked");
  assert.equal(await page.inputValue("#create-name"), "my-greeting");
  assert.ok((await run(page, "Ada", "docker", "success")).includes("Hi, Ada"), "tried before it is saved");
  await page.click("#create-save");
  await page.waitForSelector('#run-title:text-is("my-greeting")');
  assert.ok((await run(page, "Ada", "gvisor", "success")).includes("Hi, Ada"));

  await open(page, "#/new");
  await page.fill("#create-name", "zipped");
  const first = { "main.py": "import helper\ndef handler(event, context):\n    return helper.VALUE\n", "helper.py": "VALUE = 'one'\n", "old.txt": "old" };
  await page.setInputFiles("#upload", zip(first));
  await page.waitForSelector('.notice:has-text("code.zip")');
  await page.click("#create-save");
  await page.waitForSelector('#run-title:text-is("zipped")');
  assert.ok((await run(page, "{}", "docker", "success")).includes("one"));

  await page.setInputFiles("#upload", zip({ "main.py": first["main.py"], "helper.py": "VALUE = 'two'\n", "new.txt": "new" }));
  await page.waitForSelector('#code-status:has-text("Saved as version 2.")');
  assert.ok((await run(page, "{}", "docker", "success")).includes("two"));
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download")]);
  assert.equal(download.suggestedFilename(), "zipped.zip");
  assert.equal(fs.readFileSync(await download.path()).subarray(0, 2).toString(), "PK");

  await open(page, "#/functions/zipped?tab=versions");
  await page.waitForSelector(".files");
  const files = await page.locator(".files > li").allInnerTexts();
  assert.deepEqual(
    files.map((line) => line.replaceAll(/\s+/g, " ").trim()),
    ["helper.py changed 14 B", "new.txt added 3 B", "old.txt removed 3 B"],
  );
  await page.click(".files summary");
  const lines = async (kind) => (await page.locator(`.files .diff tr.${kind} .text`).allTextContents()).join();
  await page.waitForSelector(".files .diff");
  assert.deepEqual([await lines("removed"), await lines("added")], ["VALUE = 'one'", "VALUE = 'two'"]);
  await open(page, "#/functions/zipped");
  await page.waitForSelector("#run-button");

  await page.setInputFiles("#upload", { name: "bad.zip", mimeType: "application/zip", buffer: Buffer.from("no archive") });
  await page.waitForSelector("[role=alert]:has-text('archive')");
}

// The damaged archive is refused.
finish(inBrowser(test, { expected: /status of 400/ }));
