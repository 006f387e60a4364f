// Figures over all runs, and over time.

import { call, listAll } from "../lib/api.js";
import { count, mib, ms, share } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { replaceQuery, to } from "../lib/router.js";
import { fillSeries } from "../lib/series.js";
import { Empty, Facts, Loaded } from "../ui/basics.js";
import { CallBars } from "../ui/bars.js";
import { LineChart } from "../ui/lines.js";
import { BUCKET_MS, FunctionSelect, RangeSelect, rangeOf, RuntimeSelect } from "../ui/range.js";
import { Locked, useForgetWrong } from "../ui/token.js";

const EVERY_MS = 5000;
const BARS = 10;

export function Metrics({ query }) {
  return html`<${Locked} title="Metrics need a token"><${Charts} query=${query} /><//>`;
}

function read(query, range, signal) {
  const to = Date.now();
  const stepMs = BUCKET_MS[range.bucket];
  const from = Math.floor((to - range.lengthMs) / stepMs) * stepMs + stepMs;
  const parameters = new URLSearchParams({ from: new Date(from).toISOString(), bucket: range.bucket });
  for (const name of ["function", "runtime"]) if (query[name]) parameters.set(name, query[name]);
  return call("GET", `metrics/summary?${parameters}`, { signal }).then((summary) => ({ summary, fromMs: from, toMs: to, stepMs }));
}

function Charts({ query }) {
  const range = rangeOf(query.range);
  const load = useLoad((signal) => read(query, range, signal), `${range.name} ${query.function} ${query.runtime}`, { everyMs: EVERY_MS });
  const functions = useLoad((signal) => listAll("functions", { signal }), "functions");
  useForgetWrong(load.error);
  const change = (part) => replaceQuery({ ...query, ...part });
  return html`
    <div class="head">
      <h1>Metrics</h1>
      <span class="quiet" id="metrics-age">${load.at && !load.isLoading && html`<span class="live-mark">live</span> as of ${load.at.toLocaleTimeString()}`}</span>
    </div>
    <div class="toolbar">
      <${RangeSelect} value=${range.name} onChange=${(value) => change({ range: value })} />
      <${FunctionSelect} functions=${functions.data ?? []} value=${query.function ?? ""} onChange=${(value) => change({ function: value })} />
      <${RuntimeSelect} value=${query.runtime ?? ""} onChange=${(value) => change({ runtime: value })} />
    </div>
    <div id="metrics" class="stack">
      <${Loaded} load=${load} lines=${8}>${(data) => html`<${Figures} key=${`${range.name}`} data=${data} query=${query} />`}<//>
    </div>
  `;
}

function Figures({ data, query }) {
  const { summary } = data;
  const { totals } = summary;
  if (totals.calls === 0) {
    return html`<${RecorderNotice} recorder=${summary.recorder} />
      <section class="panel"><${Empty} title="No runs in this time"><p>Run a function, and it is counted here within a second. A longer range may show older runs.</p><//></section>`;
  }
  const rows = summary.functions.slice(0, BARS).map(({ name, calls, errors }) => ({ name, calls, errors, href: to(["metrics"], { ...query, function: name }) }));
  return html`
    <${RecorderNotice} recorder=${summary.recorder} />
    <${Facts}
      kind="tiles"
      pairs=${[
        ["Calls", count(totals.calls)],
        ["Errors", count(totals.errors), share(totals.errors, totals.calls)],
        ["Cold starts", count(totals.cold), share(totals.cold, totals.calls)],
        ["Median", ms(totals.p50_ms)],
        ["99 in 100 within", ms(totals.p99_ms)],
        ["Memory peak", mib(totals.max_memory_mib)],
      ]}
    />
    <div class="charts">
      <${CallBars} title="Calls and errors per function" rows=${rows} more=${summary.functions.length - rows.length} />
      <${TimeCharts} data=${data} />
    </div>
  `;
}

function TimeCharts({ data }) {
  const { summary, fromMs, toMs, stepMs } = data;
  const points = useMemo(() => fillSeries(summary.series ?? [], fromMs, toMs, stepMs), [data]);
  const times = useMemo(() => points.map(({ at }) => at), [points]);
  const lines = useMemo(() => {
    const minutes = stepMs / 60_000;
    const counted = (name, scale = 1) => points.map(({ figures }) => (figures?.[name] ?? 0) / scale);
    const timed = (name) => points.map(({ figures }) => figures?.[name] ?? null);
    return {
      rate: [
        { label: "calls", colour: "--calls", values: counted("calls", minutes), isFilled: true },
        { label: "errors", colour: "--errors", values: counted("errors", minutes) },
      ],
      durations: [
        { label: "p50", colour: "--p50", values: timed("p50_ms") },
        { label: "p90", colour: "--p90", values: timed("p90_ms") },
        { label: "p99", colour: "--p99", values: timed("p99_ms") },
      ],
      starts: [
        { label: "warm", colour: "--warm", values: counted("warm"), isFilled: true },
        { label: "prewarmed", colour: "--prewarmed", values: counted("prewarmed") },
        { label: "cold", colour: "--cold", values: counted("cold") },
      ],
    };
  }, [points]);
  const rate = (value) => Number(value.toPrecision(3)).toLocaleString();
  return html`
    <${LineChart} title="Calls per minute" times=${times} stepMs=${stepMs} series=${lines.rate} format=${rate} />
    <${LineChart} title="Duration" times=${times} stepMs=${stepMs} series=${lines.durations} format=${ms} />
    <${LineChart} title="Cold and warm starts" times=${times} stepMs=${stepMs} series=${lines.starts} format=${rate} />
  `;
}

/** Said only when records do not reach the store as they should. */
function RecorderNotice({ recorder }) {
  if (!recorder?.store && !recorder?.shed && !recorder?.rejected) return null;
  return html`<div class="notice bad" role="status"><p>
    ${recorder.store && html`<strong>The store does not take records since ${new Date(recorder.store.since).toLocaleTimeString()}.</strong> ${count(recorder.pending_records)} wait in the journal, and are not in these figures. `}
    ${(recorder.shed > 0 || recorder.rejected > 0) && html`${count(recorder.shed + recorder.rejected)} records were lost.`}
  </p></div>`;
}
