// Every screen, light and dark, on a desk and on a phone: texts stand out enough from what is behind
// them (WCAG 2.1, 1.4.3), fields have names, and no screen is wider than the phone.
"use strict";

const { api, archive, assert, eventually, finish, inBrowser, open, unlock } = require("./kit.cjs");

const CODE = `
import sys
# a comment
def handler(event, context):
    print("called with", event, 1.5, True)
    if event:
        raise ValueError("no")
    return {"n": 1}
`;

const SCREENS = [
  ["#/functions", ".card"],
  ["#/new", "#create-name"],
  ["#/functions/look", "#code"],
  ["#/functions/look?tab=settings", "#settings-save"],
  ["#/functions/look?tab=versions", ".diff tr.added"],
  ["#/functions/look?tab=logs", "#logs-title"],
  ["#/functions/none", "[role=alert]"],
  ["#/metrics", ".uplot"],
  ["#/metrics?runtime=gvisor", "#metrics .empty"],
  ["#/invocations", "#invocations tbody tr"],
  ["#/pool", "#pool .tiles, #pool .empty"],
  ["#/tokens", "#tokens li"],
  ["#/functions/zipped?tab=versions", ".files details"],
];

/** Runs in the page: texts with too little contrast, and controls without a name. */
function faults() {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => {
    const mix = (name) => top[name] * top.a + under[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const luminance = ({ r, g, b }) => {
    const [R, G, B] = [r, g, b].map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const name = (element) => `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}.${[...element.classList].join(".")}`;
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("#app"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent.trim();
    // The text area's own letters are drawn by the coloured text behind it.
    if (text === "" || element.tagName === "TEXTAREA" || element.closest("button:disabled, .visually-hidden, .skip") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const front = over(parse(style.color), back);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`${name(element)} "${text.slice(0, 30)}" has a contrast of ${ratio.toFixed(2)}`);
  }
  for (const control of document.querySelectorAll("#app :is(button, a, input, select, textarea, summary)")) {
    const labels = [...(control.labels ?? [])].map((label) => label.textContent).join("");
    const own = control.getAttribute("aria-label") ?? (control.tagName === "SELECT" ? "" : control.textContent);
    if (`${labels}${own}`.trim() === "") found.push(`${name(control)} has no name`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) found.push(`the id ${id} is there twice`);
  for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    for (const id of `${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("aria-describedby") ?? ""}`.split(/\s+/).filter(Boolean)) {
      if (!document.getElementById(id)) found.push(`${name(element)} names ${id}, which is not there`);
    }
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`${wide} pixels wide, of ${innerWidth}`);
  if (document.querySelectorAll("h1").length !== 1 && !document.querySelector(".lock, [role=alert]")) found.push("not one h1");
  return found;
}

async function look(page, where) {
  const found = await page.evaluate(faults);
  assert.deepEqual(found, [], where);
}

async function test(page) {
  // The check itself must see a fault.
  await page.waitForSelector(".empty p");
  await look(page, "nothing yet");
  await page.evaluate(() => {
    document.querySelector(".empty p").style.color = "#aaa";
  });
  assert.equal((await page.evaluate(faults)).length, 1);
  await page.click("#go-metrics");
  await look(page, "locked");

  await api("POST", "/functions", { name: "look", language: "python", handler: "main.handler", code: CODE, description: "x".repeat(256), env: { A: "1" } });
  await api("PUT", "/functions/look", { code: `${CODE}# more\n`, timeout_ms: 2000 });
  await api("POST", "/tokens", { name: "look", scopes: ["invoke", "admin"] });
  await api("POST", "/functions", { name: "zipped", language: "python", code_zip_base64: archive({ "main.py": "print(1)\n", "old.txt": "old" }) });
  await api("PUT", "/functions/zipped", { code_zip_base64: archive({ "main.py": "print(2)\n", "new.txt": "new" }) });
  for (const event of [null, { a: 1 }]) await api("POST", "/functions/execute", { name: "look", event });
  const items = await eventually(async () => {
    const { items } = await api("GET", "/metrics");
    return items.length >= 2 && items;
  });
  await unlock(page, "wrong");
  await page.waitForSelector('#token-message:has-text("Wrong")');
  await look(page, "a wrong token");
  await unlock(page);
  await page.waitForSelector("#metrics .uplot");

  const screens = [...SCREENS, [`#/invocations/${items[0].request_id}`, ".timings"]];
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 375]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      for (const [place, selector] of screens) {
        await open(page, place);
        await page.waitForSelector(selector);
        await look(page, `${place}, ${colorScheme}, ${width} pixels`);
      }
      await open(page, "#/functions/look");
      for (const [event, badge] of [["null", "success"], ["[1]", "function_error"]]) {
        await page.fill("#input", event);
        await page.click("#run-button");
        await page.waitForSelector(`#result .badge.${badge}`);
        await look(page, `a result, ${colorScheme}, ${width} pixels`);
      }
      await open(page, "#/functions/zipped?tab=versions");
      await page.click(".files summary");
      await page.waitForSelector(".files .diff tr.added");
      await look(page, `changed files, ${colorScheme}, ${width} pixels`);
      await open(page, "#/tokens");
      await page.fill("#token-name", "one more");
      await page.click("#token-make");
      await page.waitForSelector("#token-made");
      await look(page, `a new token, ${colorScheme}, ${width} pixels`);
    }
  }
  // The button wins over the system.
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1200, height: 800 });
  const before = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.click("#theme");
  const after = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.notEqual(before, after);
  await look(page, "chosen dark");
}

finish(inBrowser(test, { expected: /status of (401|404|405)/ }));
