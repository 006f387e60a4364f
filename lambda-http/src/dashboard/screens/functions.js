// All functions.

import { ago, ms, mib } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { usePages } from "../lib/load.js";
import { to } from "../lib/router.js";
import { useToken } from "../lib/token.js";
import { Chip, Empty, Failure, Loaded } from "../ui/basics.js";
import { Locked } from "../ui/token.js";

/** As many as can be drawn at once without being felt. */
const PAGE = 200;

export function Functions() {
  const secret = useToken();
  const load = usePages("functions", `functions ${secret}`, PAGE);
  if (load.error?.status === 401 && secret === null) return html`<${Locked} title="This server needs a token" />`;
  return html`
    <div class="head">
      <h1>Functions</h1>
      <a class="button primary" id="new" href=${to(["new"])}>New function</a>
    </div>
    <div id="functions">
      <${Loaded} load=${load} lines=${5}>${(functions) => (functions.length === 0 ? html`<${First} />` : html`<${List} functions=${functions} load=${load} />`)}<//>
    </div>
  `;
}

function First() {
  return html`<section class="panel">
    <${Empty} title="No functions yet">
      <p>Write one here in Python or JavaScript, or deploy a file from a terminal:</p>
      <pre class="inline">lambda deploy hello.py</pre>
      <a class="button primary" href=${to(["new"])}>Create your first function</a>
    <//>
  </section>`;
}

function List({ functions, load: { next, more, moreError } }) {
  const [wanted, setWanted] = useState("");
  const word = wanted.trim().toLowerCase();
  // Who searches means all of them.
  useEffect(() => {
    if (word !== "" && next !== null && moreError === null) more();
  }, [word === "", next, moreError]);
  const all = next === null ? `${functions.length} in all` : `the newest ${functions.length}`;
  const shown = functions.filter((fn) => `${fn.name} ${fn.description} ${fn.language} ${fn.runtime}`.toLowerCase().includes(word));
  return html`
    <div class="toolbar">
      <input type="search" id="search" aria-label="Search functions" placeholder="Search by name, description, language …" value=${wanted} onInput=${(event) => setWanted(event.currentTarget.value)} />
      <span class="quiet" role="status">${word === "" ? all : `${shown.length} of ${functions.length}${next === null ? "" : " so far"}`}</span>
    </div>
    ${shown.length === 0 && next === null && html`<section class="panel"><${Empty} title="Nothing fits"><p>No function has “${wanted}” in it.</p><//></section>`}
    <ul class="cards">
      ${shown.map((fn) => html`<${Card} key=${fn.id} fn=${fn} />`)}
    </ul>
    ${moreError && html`<${Failure} error=${moreError} retry=${more} />`}
    ${next !== null && moreError === null && html`<p class="more"><button type="button" id="more" onClick=${more}>Load more</button></p>`}
  `;
}

function Card({ fn }) {
  return html`<li>
    <a class="card" href=${to(["functions", fn.name])}>
      <span class="card-title">${fn.name}</span>
      <span class="card-text">${fn.description || (fn.handler === null ? "A script: args in, output out." : `Handler ${fn.handler}`)}</span>
      <span class="chips">
        <${Chip} kind=${fn.language}>${fn.language === "python" ? "Python" : "JavaScript"}<//>
        <${Chip}>${fn.handler === null ? "script" : "handler"}<//>
        <${Chip}>${fn.runtime === "gvisor" ? "gVisor" : fn.runtime === "docker" ? "Docker" : fn.runtime}<//>
      </span>
      <span class="card-foot">version ${fn.version} · ${mib(fn.memory_mib)} · ${ms(fn.timeout_ms)} · ${ago(fn.updated_at)}</span>
    </a>
  </li>`;
}
