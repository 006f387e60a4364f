// Calls the functions of a small shop for some minutes, and takes pictures of the page meanwhile.
"use strict";

const { chromium } = require("playwright-core");

const { BROWSER, URL, TOKEN, OUT } = process.env;
const MINUTES = Number(process.env.SCREENSHOT_MINUTES ?? 10);

const FUNCTIONS = [
  {
    name: "hello",
    description: "Greets whoever is named on the command line.",
    language: "python",
    code: 'import sys\n\nname = sys.argv[1] if len(sys.argv) > 1 else "world"\nprint(f"Hello, {name}!")\n',
  },
  {
    name: "price-order",
    description: "Adds up an order, with the discount of its customer.",
    language: "python",
    handler: "main.handler",
    env: { CURRENCY: "EUR", DISCOUNT: "0.10" },
    code: `import os

DISCOUNT = float(os.environ["DISCOUNT"])


class EmptyOrder(Exception):
    """An order without items has no price."""


def handler(event, context):
    items = event["items"]
    if not items:
        raise EmptyOrder("the order has no items")

    # Whoever buys more than three things gets a discount.
    total = sum(item["price"] * item["count"] for item in items)
    if sum(item["count"] for item in items) > 3:
        total *= 1 - DISCOUNT

    print(f"priced {len(items)} items for {event['customer']}")
    return {
        "customer": event["customer"],
        "total": round(total, 2),
        "currency": os.environ["CURRENCY"],
    }
`,
  },
  {
    name: "render-mail",
    description: "Renders the mail that says an order is on its way.",
    language: "javascript",
    handler: "main.handler",
    runtime: "gvisor",
    code: 'const sleep = (ms) => new Promise((done) => setTimeout(done, ms));\n\nexport const handler = async ({ name, order }) => {\n  await sleep(5 + 25 * Math.random());\n  console.log(`order ${order}`);\n  return { subject: `Order ${order}`, text: `Dear ${name}, it is on its way.` };\n};\n',
  },
  {
    name: "resize-image",
    description: "Scales a picture down to a thumbnail.",
    language: "python",
    handler: "main.handler",
    memory_mib: 256,
    code: 'import random, time\n\ndef handler(event, context):\n    time.sleep(random.expovariate(1 / 0.03))\n    return {"width": 320}\n',
  },
  {
    name: "nightly-report",
    description: "Sums up the day. Never finishes on a busy day.",
    language: "javascript",
    timeout_ms: 500,
    code: 'if (process.argv[2] === "busy") for (;;);\nconsole.log("42 orders");\n',
  },
];

const TOKENS = [
  ["continuous integration", "functions:read", "functions:write", "invoke"],
  ["web shop", "invoke"],
  ["Grafana", "metrics:read"],
];

const ITEMS = [{ name: "lamp", price: 24.5, count: 2 }, { name: "bulb", price: 3.2, count: 6 }];
const CALLS = [
  [8, { name: "price-order", event: { customer: "Alice", items: ITEMS } }],
  [1, { name: "price-order", event: { customer: "Bob", items: [] } }],
  [5, { name: "resize-image", event: {} }],
  [4, { name: "render-mail", event: { name: "Alice", order: 4711 } }],
  [3, { name: "hello", args: ["Alice"] }],
  [0.4, { name: "nightly-report", args: [] }],
  [0.2, { name: "nightly-report", args: ["busy"] }],
];

async function api(method, path, body) {
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const response = await fetch(URL + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return response.json();
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function pick() {
  let at = Math.random() * CALLS.reduce((sum, [weight]) => sum + weight, 0);
  return CALLS.find(([weight]) => (at -= weight) < 0)?.[1] ?? CALLS[0][1];
}

/** Calls that come and go, as customers do. */
async function customers(isOver) {
  const begin = Date.now();
  while (!isOver()) {
    await api("POST", "/functions/execute", pick());
    const wave = 1.3 + Math.sin((Date.now() - begin) / 45_000);
    await pause((-Math.log(1 - Math.random()) * 400) / wave);
  }
}

async function pictures(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 820 }, colorScheme: "light" });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const at = async (place, selector) => {
    await page.goto(`${URL}/${place}`);
    await page.waitForSelector(selector);
  };
  const shot = async (name, options) => {
    // Nothing that has the focus, and nothing that still moves.
    await page.evaluate(() => document.activeElement?.blur());
    await page.mouse.move(0, 0);
    await pause(300);
    await page.screenshot({ path: `${OUT}/${name}.png`, ...options });
  };
  const run = async () => {
    await at("#/functions/price-order", "#run-button");
    await page.fill("#input", JSON.stringify({ customer: "Alice", items: ITEMS }, null, 2));
    await page.click("#run-button");
    await page.waitForSelector("#result .badge");
  };

  await at("#/functions", ".card");
  await shot("functions");
  await run();
  await shot("run");
  await at("#/functions/price-order?tab=versions", ".diff tr.added");
  await shot("versions");
  await at("#/metrics", "#token");
  await page.fill("#token", TOKEN);
  await page.click("#token-save");
  await page.waitForSelector("#metrics .uplot");
  await page.setViewportSize({ width: 1280, height: 1010 });
  await at("#/metrics?range=15m", "#metrics .uplot");
  await shot("metrics");
  await page.setViewportSize({ width: 1280, height: 820 });
  await at("#/invocations", "#invocations tbody tr");
  await shot("invocations");
  await page.setViewportSize({ width: 1280, height: 900 });
  await at("#/pool", "#pool .panel");
  await shot("pool");
  await page.setViewportSize({ width: 1280, height: 820 });
  await at("#/tokens", "#tokens li");
  await shot("tokens");
  await page.emulateMedia({ colorScheme: "dark" });
  await run();
  await shot("run-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 780 });
  await run();
  await page.locator("#run").evaluate((element) => element.scrollIntoView());
  await shot("phone");
}

async function main() {
  for (const fn of FUNCTIONS) await api("POST", "/functions", fn);
  const { code } = FUNCTIONS[1];
  await api("PUT", "/functions/price-order", { code: code.replace("> 3:", "> 5:").replace("more than three things", "more than five things"), timeout_ms: 2000 });
  for (const [name, ...scopes] of TOKENS) await api("POST", "/tokens", { name, scopes });
  let isOver = false;
  const load = Promise.all([customers(() => isOver), customers(() => isOver)]);
  await pause(MINUTES * 60_000);
  const browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    await pictures(browser);
  } finally {
    isOver = true;
    await browser.close();
    await load;
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
