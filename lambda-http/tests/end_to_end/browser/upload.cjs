// Files instead of typing: code is tried before it is saved, one file fills the editor, an archive
// is deployed as it is, and both can be replaced.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { assert, finish, inBrowser, open, run } = require("./kit.cjs");

/** An archive of files, made by Python: Node cannot. */
function archive(files) {
  const directory = fs.mkdtempSync(path.join(process.env.PROFILE, "archive-"));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text);
  execFileSync("python3", ["-m", "zipfile", "-c", "code.zip", ...Object.keys(files)], { cwd: directory });
  return { name: "code.zip", mimeType: "application/zip", buffer: fs.readFileSync(path.join(directory, "code.zip")) };
}

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
  const first = { "main.py": "import helper\ndef handler(event, context):\n    return helper.VALUE\n", "helper.py": "VALUE = 'one'\n" };
  await page.setInputFiles("#upload", archive(first));
  await page.waitForSelector('.notice:has-text("code.zip")');
  await page.click("#create-save");
  await page.waitForSelector('#run-title:text-is("zipped")');
  assert.ok((await run(page, "{}", "docker", "success")).includes("one"));

  await page.setInputFiles("#upload", archive({ ...first, "helper.py": "VALUE = 'two'\n" }));
  await page.waitForSelector('#code-status:has-text("Saved as version 2.")');
  assert.ok((await run(page, "{}", "docker", "success")).includes("two"));
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download")]);
  assert.equal(download.suggestedFilename(), "zipped.zip");
  assert.equal(fs.readFileSync(await download.path()).subarray(0, 2).toString(), "PK");

  await page.setInputFiles("#upload", { name: "bad.zip", mimeType: "application/zip", buffer: Buffer.from("no archive") });
  await page.waitForSelector("[role=alert]:has-text('archive')");
}

// The damaged archive is refused.
finish(inBrowser(test, { expected: /status of 400/ }));
