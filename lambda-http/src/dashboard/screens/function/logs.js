// What all runs of a function write, as they write it.

import { follow } from "../../lib/api.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { token, useToken } from "../../lib/token.js";
import { Failure } from "../../ui/basics.js";
import { Locked } from "../../ui/token.js";

const ENTRIES_MAX = 1000;

export function LogsTab({ fn }) {
  return html`<${Locked} title="The live log needs a token"><${Log} fn=${fn} /><//>`;
}

function Log({ fn }) {
  const secret = useToken();
  const [entries, setEntries] = useState([]);
  const [state, setState] = useState({ kind: "connecting" });
  const [turn, setTurn] = useState(0);
  const box = useRef(null);
  useEffect(() => {
    const mine = new AbortController();
    let next = 0;
    const onEvent = (event, data) => {
      if (mine.signal.aborted || (event !== "log" && event !== "end")) return;
      const entry = { key: (next += 1), event, ...data };
      setEntries((old) => [...old, entry].slice(-ENTRIES_MAX));
    };
    setState({ kind: "live" });
    follow(`functions/${fn.id}/logs`, { signal: mine.signal, onEvent })
      .then(() => setState({ kind: "ended" }))
      .catch((error) => {
        if (error.name === "AbortError") return;
        if (error.status === 401) token.forget();
        setState({ kind: "failed", error: error.isUnknownRoute ? new Error("This server has no live log.") : error });
      });
    return () => mine.abort();
  }, [fn.id, secret, turn]);
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [entries]);
  return html`<section class="panel" aria-labelledby="logs-title">
    <div class="bar">
      <h2 id="logs-title">Live log ${state.kind === "live" && html`<span class="live-mark">live</span>`}</h2>
      <div class="bar">
        ${state.kind === "ended" && html`<button type="button" onClick=${() => setTurn(turn + 1)}>Connect again</button>`}
        <button type="button" onClick=${() => setEntries([])}>Clear</button>
      </div>
    </div>
    ${state.kind === "failed" && html`<${Failure} error=${state.error} retry=${() => setTurn(turn + 1)} />`}
    ${entries.length === 0
      ? state.kind !== "failed" && html`<p class="quiet">Waiting for a run of ${fn.name}, from wherever it is called …</p>`
      : html`<div class="log" ref=${box} tabindex="0" role="log" aria-label="Output of runs">
          ${entries.map((entry) =>
            entry.event === "end"
              ? html`<div key=${entry.key} class="log-end">${entry.request_id} ended: ${entry.status}</div>`
              : html`<div key=${entry.key} class=${`log-text ${entry.stream}`}><span class="log-time">${entry.at ? new Date(entry.at).toLocaleTimeString() : ""}</span>${entry.text}</div>`,
          )}
        </div>`}
  </section>`;
}
