// Recent runs, newest first.

import { call, listAll } from "../lib/api.js";
import { mib, ms, when, words } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { replaceQuery, to } from "../lib/router.js";
import { Chip, Empty, Loaded, Status } from "../ui/basics.js";
import { FunctionSelect, RangeSelect, rangeOf, RuntimeSelect, Select } from "../ui/range.js";
import { Locked, useForgetWrong } from "../ui/token.js";

const PAGE = 50;
const EVERY_MS = 5000;

const STATUSES = [
  ["", "Any outcome"],
  ["error", "All errors"],
  ...["success", "function_error", "timeout", "out_of_memory", "crashed", "cancelled"].map((status) => [status, words(status)]),
];

export function Invocations({ query }) {
  return html`<${Locked} title="Invocations need a token"><${Page} query=${query} /><//>`;
}

function read(query, cursor, signal) {
  const parameters = new URLSearchParams({ limit: PAGE });
  for (const name of ["function", "runtime", "status"]) if (query[name]) parameters.set(name, query[name]);
  if (query.range) parameters.set("from", new Date(Date.now() - rangeOf(query.range).lengthMs).toISOString());
  if (cursor) parameters.set("cursor", cursor);
  return call("GET", `metrics?${parameters}`, { signal });
}

function Page({ query }) {
  const filter = JSON.stringify([query.function, query.runtime, query.status, query.range]);
  const [place, setPlace] = useState({ filter, cursors: [] });
  const cursors = place.filter === filter ? place.cursors : [];
  const cursor = cursors.at(-1) ?? null;
  const load = useLoad((signal) => read(query, cursor, signal), `${filter} ${cursor}`, { everyMs: cursor === null ? EVERY_MS : 0 });
  const functions = useLoad((signal) => listAll("functions", { signal }), "functions");
  useForgetWrong(load.error);
  const change = (part) => replaceQuery({ ...query, ...part });
  const turn = (next) => setPlace({ filter, cursors: next });
  return html`
    <div class="head">
      <h1>Invocations</h1>
      ${cursor === null && load.at && html`<span class="quiet"><span class="live-mark">live</span> as of ${load.at.toLocaleTimeString()}</span>`}
    </div>
    <div class="toolbar">
      <${Select} id="status" label="Outcome" value=${query.status ?? ""} options=${STATUSES} onChange=${(value) => change({ status: value })} />
      <${FunctionSelect} functions=${functions.data ?? []} value=${query.function ?? ""} onChange=${(value) => change({ function: value })} />
      <${RuntimeSelect} value=${query.runtime ?? ""} onChange=${(value) => change({ runtime: value })} />
      <${RangeSelect} all value=${query.range ?? ""} onChange=${(value) => change({ range: value })} />
    </div>
    <section class="panel flush" id="invocations">
      <${Loaded} load=${load} lines=${10}>
        ${({ items, next }) => html`
          ${items.length === 0
            ? html`<${Empty} title="No runs fit"><p>Run a function, or choose other filters.</p><//>`
            : html`<${Table} items=${items} />`}
          <nav class="pager" aria-label="Pages">
            <button type="button" id="newer" disabled=${cursors.length === 0} onClick=${() => turn(cursors.slice(0, -1))}>← Newer</button>
            <span class="quiet">page ${cursors.length + 1}</span>
            <button type="button" id="older" disabled=${next === null} onClick=${() => turn([...cursors, next])}>Older →</button>
          </nav>
        `}
      <//>
    </section>
  `;
}

function Table({ items }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Runs">
    <table class="rows">
      <thead>
        <tr>
          <th scope="col">Started</th><th scope="col">Function</th><th scope="col">Outcome</th><th scope="col">Start</th>
          <th scope="col">Runtime</th><th scope="col" class="number">Total</th><th scope="col" class="number">Run</th><th scope="col" class="number">Memory</th>
        </tr>
      </thead>
      <tbody>
        ${items.map(
          (item) => html`<tr key=${item.request_id}>
            <td><a href=${to(["invocations", item.request_id])}>${when(item.started_at)}</a></td>
            <td class="strong">${item.function_name} <small>v${item.version}</small></td>
            <td><${Status} status=${item.status} /> ${item.error_type && html`<small class="error-type">${item.error_type}</small>`}</td>
            <td><${Chip} kind=${item.start}>${item.start}<//></td>
            <td>${item.runtime}</td>
            <td class="number">${ms(item.total_ms)}</td>
            <td class="number">${ms(item.run_ms)}</td>
            <td class="number">${mib(item.max_memory_mib)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
