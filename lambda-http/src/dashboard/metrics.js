// Figures, charts and recent runs: for holders of a token.

import { call, token } from "./api.js";
import { bars, line } from "./charts.js";
import { facts, failure, h, ms, when } from "./dom.js";

const RECENT = 50;
const BARS = 8;
const EVERY_MS = 5000;

/** Keeps the metrics in `box` fresh while the page is looked at. */
export function startMetrics(box, age, { onDenied }) {
  let turn = 0;
  let drawn = null;

  function lock() {
    turn += 1;
    drawn = null;
    age.textContent = "";
    box.replaceChildren(h("p", { class: "empty" }, "Metrics are shown once a token is entered above."));
  }

  async function refresh() {
    if (token.get() === null) return lock();
    turn += 1;
    const mine = turn;
    try {
      const [summary, page] = await Promise.all([
        call("GET", "metrics/summary"),
        call("GET", `metrics?limit=${RECENT}`),
      ]);
      // Only the latest answer counts, and none that was asked before a lock.
      if (mine !== turn) return;
      drawn = { summary, items: page.items };
      age.textContent = `as of ${new Date().toLocaleTimeString()}`;
      draw();
    } catch (error) {
      if (mine !== turn) return;
      if (error.status === 401) {
        lock();
        onDenied();
      } else {
        drawn = null;
        box.replaceChildren(failure(error));
      }
    }
  }

  function draw() {
    if (drawn === null) return;
    const { summary, items } = drawn;
    if (summary.totals.calls === 0) {
      box.replaceChildren(h("p", { class: "empty" }, "No runs yet. Run a function, and it is counted here."));
      return;
    }
    const { scrollLeft = 0, scrollTop = 0 } = box.querySelector(".scroll") ?? {};
    const width = chartWidth(box);
    box.replaceChildren(
      h("div", { class: "stack" }, tiles(summary.totals), charts(summary, items, width), h("h3", {}, "Recent runs"), table(items)),
    );
    box.querySelector(".scroll").scrollTo(scrollLeft, scrollTop);
  }

  new ResizeObserver(draw).observe(box);
  setInterval(() => {
    if (!document.hidden && token.get() !== null) refresh();
  }, EVERY_MS);
  return { refresh, lock };
}

/** Two charts stand side by side where there is room; the style sheet has the same rule. */
function chartWidth(box) {
  const width = box.clientWidth;
  return Math.floor(width >= 2 * 380 + 16 ? (width - 16) / 2 : width);
}

function tiles(totals) {
  const rate = totals.calls === 0 ? 0 : (100 * totals.errors) / totals.calls;
  return facts(
    [
      ["Calls", totals.calls.toLocaleString()],
      ["Errors", `${totals.errors.toLocaleString()} (${rate.toFixed(rate < 10 ? 1 : 0)} %)`],
      ["Warm starts", `${Math.round((100 * totals.warm) / totals.calls)} %`],
      ["Median", ms(totals.p50_ms)],
      ["99 in 100 within", ms(totals.p99_ms)],
    ],
    "facts tiles",
  );
}

function charts(summary, items, width) {
  const top = summary.functions.slice(0, BARS);
  const more = summary.functions.length - top.length;
  const durations = items.map((item) => ({
    value: item.total_ms,
    isError: item.status !== "success",
    label: `${item.function_name}: ${ms(item.total_ms)}, ${item.status.replaceAll("_", " ")}`,
  }));
  durations.reverse();
  return h(
    "div",
    { class: "charts" },
    h(
      "figure",
      {},
      h(
        "figcaption",
        {},
        h("h3", {}, more > 0 ? `Calls and errors of the ${BARS} most called` : "Calls and errors"),
        h("span", { class: "key" }, h("span", {}, "calls"), h("span", { class: "errors" }, "errors")),
      ),
      bars(top, width),
    ),
    h(
      "figure",
      {},
      h(
        "figcaption",
        {},
        h("h3", {}, `Duration of the last ${durations.length} runs`),
        h("span", { class: "key" }, h("span", {}, "success"), h("span", { class: "errors" }, "error")),
      ),
      line(durations, width),
    ),
  );
}

function table(items) {
  const rows = items.map((item) =>
    h(
      "tr",
      {},
      h("td", {}, when(item.started_at)),
      h("td", {}, item.function_name),
      h(
        "td",
        {},
        h("span", { class: `badge ${item.status}`, title: item.error_type ?? "" }, item.status.replaceAll("_", " ")),
      ),
      h("td", { class: "number" }, ms(item.total_ms)),
      h("td", {}, item.start),
      h("td", {}, item.runtime),
      h("td", { class: "number" }, item.max_memory_mib === null ? "–" : `${item.max_memory_mib} MiB`),
    ),
  );
  const head = ["Started", "Function", "Status", "Total", "Start", "Runtime", "Memory"].map((title) =>
    h("th", { scope: "col", class: title === "Total" || title === "Memory" ? "number" : null }, title),
  );
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Recent runs" },
    h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)),
  );
}
