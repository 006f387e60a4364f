// More functions than one answer of the API may have: they come as they are asked for, and a search
// finds the oldest of them.
"use strict";

const { api, assert, finish, inBrowser, open } = require("./kit.cjs");

const COUNT = 1_010;
const AT_ONCE = 8;

async function test(page) {
  let made = 0;
  const one = () => api("POST", "/functions", { name: `many-${(made += 1)}`, language: "python", code: "print(1)" });
  await one();
  const maker = async () => {
    while (made < COUNT) await one();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, maker));

  await open(page, "#/functions");
  await page.reload();
  await page.waitForSelector(".toolbar [role=status]:has-text('the newest 200')");
  assert.equal(await page.locator(".card").count(), 200);
  await page.click("#more");
  await page.waitForSelector(".toolbar [role=status]:has-text('the newest 400')");
  assert.equal(new Set(await page.locator(".card-title").allTextContents()).size, 400, "each once");

  await page.fill("#search", "many-1");
  // many-1, many-10 to many-19, many-100 to many-199, many-1000 to many-1010.
  await page.waitForSelector(`.toolbar [role=status]:text-is("122 of ${COUNT}")`);
  await page.waitForSelector('.card-title:text-is("many-1")');
  await page.fill("#search", "");
  await page.waitForSelector(`.toolbar [role=status]:text-is("${COUNT} in all")`);
  assert.equal(await page.locator("#more").count(), 0);
}

finish(inBrowser(test));
