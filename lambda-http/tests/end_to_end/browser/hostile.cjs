// A hundred texts that would run if they were taken for markup, in every field that the page shows.
// None may run, none may make an element, and each must be seen as it was written.
"use strict";

const { api, assert, eventually, finish, inBrowser, open, unlock } = require("./kit.cjs");

/** Each calls `harm`, by a way of its own. */
const CARRIERS = [
  (js) => `<script>${js}</script>`,
  (js) => `<img src=x onerror="${js}">`,
  (js) => `<svg onload="${js}">`,
  (js) => `<svg><script>${js}</script></svg>`,
  (js) => `<iframe srcdoc="<script>parent.${js}</script>"></iframe>`,
  (js) => `<iframe src="javascript:parent.${js}"></iframe>`,
  (js) => `<details open ontoggle="${js}">x</details>`,
  (js) => `<video><source onerror="${js}"></video>`,
  (js) => `<body onload="${js}">`,
  (js) => `<input autofocus onfocus="${js}">`,
  (js) => `<a href="javascript:${js}" id=evil>click</a>`,
  (js) => `<math><mtext><table><mglyph><style><img src=x onerror="${js}">`,
  (js) => `<template><img src=x onerror="${js}"></template>`,
  (js) => `<style>@import "data:text/css,*{}"</style><img src=x onerror=${js}>`,
  (js) => `<object data="javascript:${js}"></object>`,
  (js) => `<embed src="javascript:${js}">`,
  (js) => `<link rel=stylesheet href="data:text/css," onload="${js}">`,
  (js) => `<meta http-equiv=refresh content="0;url=javascript:${js}">`,
  (js) => `<form action="javascript:${js}"><button autofocus>x</button></form>`,
  (js) => `<base href="javascript:${js}//">`,
  (js) => `\${${js}}`,
  (js) => `javascript:${js}`,
  (js) => `{{constructor.constructor('${js}')()}}`,
  (js) => `data:text/html,<script>opener.${js}</script>`,
  (js) => `<x onclick="${js}" style="position:fixed;inset:0">x</x>`,
];

/** What stands before it: ways out of where the text might have been put. */
const ESCAPES = ["", '">', "'><!--x-->", "</pre></textarea></script></title></style>"];

const PAYLOADS = ESCAPES.flatMap((escape) => CARRIERS.map((carrier) => escape + carrier("harm()")));
assert.equal(PAYLOADS.length, 100);

/** A name may have only harmless characters; everything else of a function may have any. */
const NAME = "hostile";

/** Prints its event, writes it to stderr, and answers with it; or fails with it. */
const CODE = `
import sys
def handler(event, context):
    print(event["text"])
    print(event["text"], file=sys.stderr)
    if event["fail"]:
        raise type(event["text"], (Exception,), {})(event["text"])
    return {event["text"]: event["text"]}
`;

const SCRIPT = "import sys\nprint(sys.argv[1])\n";

/** Elements that no screen of the page has, wherever they come from. */
const FOREIGN = "#app :is(script, img, iframe, object, embed, video, math, style, link, meta, base, template, x), #evil, body > :not(#app, noscript)";

async function checkHarmless(page, where) {
  const found = await page.evaluate((foreign) => {
    const handlers = [...document.querySelectorAll("#app *")].filter((element) => [...element.attributes].some(({ name }) => name.startsWith("on")));
    const links = [...document.querySelectorAll("#app a")].filter(({ protocol }) => protocol !== "http:");
    return { harmed: window.harmed ?? 0, foreign: [...document.querySelectorAll(foreign)].map(({ outerHTML }) => outerHTML), handlers: handlers.length, links: links.length };
  }, FOREIGN);
  assert.deepEqual(found, { harmed: 0, foreign: [], handlers: 0, links: 0 }, where);
}

/** Waits until a text stands in an element or a field, letter for letter. */
async function checkShown(page, selector, text, where) {
  await page
    .waitForFunction(([selector, text]) => [...document.querySelectorAll(selector)].some((element) => (element.value ?? element.textContent).includes(text)), [selector, text], { timeout: 15_000 })
    .catch(() => assert.fail(`${where}: ${selector} does not show ${text}`));
  await checkHarmless(page, where);
}

const output = (page, input) => page.fill("#input", input).then(() => page.click("#run-button"));

/** All fields that hold one text for long: description, environment, code and its differences. */
async function kept(page, payload) {
  const env = { TEXT: payload };
  await api("PUT", `/functions/${NAME}`, { description: payload, env, code: `${CODE}# ${payload}\n` });
  await open(page, "#/functions");
  await checkShown(page, ".card-text", payload, "description in the list");
  await page.fill("#search", payload);
  await checkShown(page, ".card-text, #functions p", payload, "search");
  await open(page, `#/functions/${NAME}`);
  await checkShown(page, ".lead", payload, "description");
  await checkShown(page, "#code", payload, "code");
  await checkShown(page, ".editor-colours", payload, "coloured code");
  await open(page, `#/functions/${NAME}?tab=settings`);
  await checkShown(page, "#description", payload, "description in the form");
  await checkShown(page, '[aria-label="Value of variable 1"]', payload, "environment");
  await open(page, `#/functions/${NAME}?tab=versions`);
  await checkShown(page, ".diff .added .text", payload, "difference of code");
  await checkShown(page, ".config-diff .added", payload, "difference of settings");
}

/** Results as they come, and errors. */
async function ran(page, payload) {
  await open(page, `#/functions/${NAME}`);
  await page.waitForSelector("#run-button");
  await output(page, JSON.stringify({ text: payload, fail: false }));
  await checkShown(page, '[aria-label="stdout"] pre', payload, "stdout");
  await checkShown(page, '[aria-label="stderr"] pre', payload, "stderr");
  await checkShown(page, '[aria-label="Output"] pre', JSON.stringify(payload), "result");
  await output(page, JSON.stringify({ text: payload, fail: true }));
  await checkShown(page, '[aria-label="Error"] pre', payload, "error");
}

/** The records of runs, which show what a run wrote to whoever looks later. */
async function recorded(page, payload, id) {
  await open(page, `#/invocations/${id}`);
  await checkShown(page, '[aria-label="stdout"] pre', payload, "kept stdout");
  await checkShown(page, '[aria-label="stderr"] pre', payload, "kept stderr");
  await checkShown(page, '[aria-label="Error"] pre', payload, "kept error");
}

/** What runs write, as others see it live. */
async function followed(page) {
  const text = (selector) => page.evaluate((selector) => document.querySelector(selector)?.textContent ?? "", selector);
  const write = (payload) => api("POST", "/functions/execute", { name: NAME, event: { text: payload, fail: false } });
  await open(page, `#/functions/${NAME}?tab=logs`);
  await page.waitForSelector("#logs-title");
  // The stream begins when the server has the request, which the page cannot see.
  await eventually(async () => {
    await write("begin");
    return (await text(".log")).includes("begin");
  });
  for (const payload of PAYLOADS) await write(payload);
  for (const payload of PAYLOADS) await checkShown(page, ".log", payload, "live log");
  await page.waitForSelector(".log-text.stderr");
}

/** Addresses and answers of the server that carry a text back. */
async function echoed(page, payload) {
  await open(page, `#/functions/${encodeURIComponent(payload)}`);
  await page.waitForSelector("[role=alert]");
  await checkHarmless(page, "an address of a function");
  await open(page, `#/${encodeURIComponent(payload)}`);
  await page.waitForSelector(".empty");
  await checkHarmless(page, "an address");
  await open(page, `#/invocations?status=${encodeURIComponent(payload)}&function=${encodeURIComponent(payload)}`);
  await page.waitForSelector("#invocations [role=alert]");
  await checkHarmless(page, "filters");
}

async function test(page) {
  await page.evaluate(() => {
    window.harm = () => {
      window.harmed = (window.harmed ?? 0) + 1;
    };
  });
  await api("POST", "/functions", { name: NAME, language: "python", handler: "main.handler", code: CODE });
  await api("POST", "/functions", { name: "args", language: "python", code: SCRIPT });
  await page.click("#go-metrics");
  await unlock(page);
  await page.waitForSelector("#metrics");
  const ids = [];
  for (const payload of PAYLOADS) {
    await kept(page, payload);
    await ran(page, payload);
    await echoed(page, payload);
    const run = await api("POST", "/functions/execute", { name: NAME, event: { text: payload, fail: true } });
    assert.equal(run.error.message, payload);
    ids.push(run.request_id);
  }
  await eventually(() => api("GET", `/invocations/${ids.at(-1)}`));
  for (const [index, payload] of PAYLOADS.entries()) await recorded(page, payload, ids[index]);
  // The list of runs has their error types, until others come.
  await open(page, "#/invocations?status=function_error");
  await page.waitForSelector("#invocations tbody tr");
  await checkShown(page, ".error-type", "<script>", "error types");
  await followed(page);
  await open(page, "#/functions/args");
  await page.waitForSelector("#run-button");
  for (const payload of PAYLOADS) {
    await output(page, payload);
    await checkShown(page, '[aria-label="Output"] pre', payload, "an argument");
  }
  // The test's own harm works, so that it would have been seen.
  await page.evaluate(() => window.harm());
  assert.equal(await page.evaluate(() => window.harmed), 1);
}

// Wrong addresses and filters are refused, and the browser says so.
finish(inBrowser(test, { expected: /status of (400|404)/ }));
