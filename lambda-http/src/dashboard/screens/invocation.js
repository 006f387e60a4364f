// One run, with the end of what it wrote.

import { call } from "../lib/api.js";
import { mib, when } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { to } from "../lib/router.js";
import { Block, Chip, Facts, Loaded, Status } from "../ui/basics.js";
import { Timings } from "../ui/result.js";
import { Locked, useForgetWrong } from "../ui/token.js";

/** Records keep the last 4 KiB of a stream, less what a cut character took with it. */
const KEPT_BYTES = 4096 - 4;
const cut = (text) => text && new TextEncoder().encode(text).length >= KEPT_BYTES && "Its end: no more is kept.";

export function Invocation({ id }) {
  return html`<${Locked} title="Invocations need a token"><${Record} id=${id} /><//>`;
}

function Record({ id }) {
  const load = useLoad((signal) => call("GET", `invocations/${encodeURIComponent(id)}`, { signal }), id);
  useForgetWrong(load.error);
  return html`
    <nav class="crumbs" aria-label="Breadcrumb"><a href=${to(["invocations"])}>Invocations</a><span aria-hidden="true">/</span></nav>
    <${Loaded} load=${load} lines=${8}>
      ${(run) => html`
        <div class="head">
          <h1>${run.function_name} <span class="quiet">version ${run.version}</span></h1>
          <span class="chips"><${Status} status=${run.status} /><${Chip} kind=${run.start}>${run.start} start<//></span>
        </div>
        <div class="columns">
          <section class="panel" aria-label="Output">
            <${Block} title="Error" kind="bad" text=${[run.error_type, run.error_message].filter(Boolean).join(": ")} />
            <${Block} title="stdout" text=${run.stdout_end} note=${cut(run.stdout_end)} />
            <${Block} title="stderr" text=${run.stderr_end} note=${cut(run.stderr_end)} />
            ${!run.stdout_end && !run.stderr_end && html`<p class="quiet">Nothing that it wrote is kept: it wrote nothing, or it is too long ago.</p>`}
          </section>
          <section class="panel" aria-labelledby="details-title">
            <h2 id="details-title">Details</h2>
            <${Timings} run=${run} />
            <${Facts}
              pairs=${[
                ["Started", when(run.started_at)],
                ["Runtime", run.runtime],
                ["Memory peak", mib(run.max_memory_mib)],
                ["Request id", html`<code>${run.request_id}</code>`],
              ]}
            />
            <a href=${to(["functions", run.function_name])}>Open the function</a>
          </section>
        </div>
      `}
    <//>
  `;
}
