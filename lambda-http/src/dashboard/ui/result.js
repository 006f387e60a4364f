// What came of a run.

import { mib, ms } from "../lib/format.js";
import { html } from "../lib/html.js";
import { Block, Chip, Facts, Status } from "./basics.js";

const PHASES = [
  ["queue", "Queue", "waited for room"],
  ["boot", "Boot", "made or took a sandbox"],
  ["init", "Init", "loaded the code"],
  ["run", "Run", "ran it"],
];

/** How the time was spent, as one bar and in figures. */
export function Timings({ run }) {
  const total = PHASES.reduce((sum, [name]) => sum + run[`${name}_ms`], 0);
  const label = PHASES.map(([name, title]) => `${title} ${ms(run[`${name}_ms`])}`).join(", ");
  return html`<div class="timings">
    <div class="timings-bar" role="img" aria-label=${label}>
      ${PHASES.map(([name]) => {
        const part = run[`${name}_ms`];
        return total > 0 && part > 0 ? html`<span key=${name} class=${`phase-${name}`} style=${{ flexGrow: part / total }}></span>` : null;
      })}
    </div>
    <dl class="timings-key">
      ${PHASES.map(
        ([name, title, what]) => html`<div key=${name} title=${what}>
          <dt><span class=${`dot phase-${name}`} aria-hidden="true"></span>${title}</dt>
          <dd>${ms(run[`${name}_ms`])}</dd>
        </div>`,
      )}
      <div class="sum"><dt>Total</dt><dd>${ms(run.total_ms)}</dd></div>
    </dl>
  </div>`;
}

export function Result({ run }) {
  const output = typeof run.output === "string" ? run.output : JSON.stringify(run.output, null, 2);
  const isRepeated = run.stdout === output || run.stdout === `${output}\n`;
  const isSuccess = run.status === "success";
  const error = run.error && [`${run.error.type}: ${run.error.message}`, ...(run.error.trace ?? [])].join("\n");
  const cut = (isCut) => isCut && "More was written than is kept.";
  return html`<div class="stack result">
    <div class="bar start">
      <${Status} status=${run.status} />
      <${Chip} kind=${run.start}>${run.start} start<//>
      <span class="quiet">in ${run.runtime}${run.version ? `, version ${run.version}` : ""}</span>
      ${run.termination === "pending" && html`<span class="quiet">The sandbox's death is not yet confirmed.</span>`}
    </div>
    <${Block} title="Error" text=${error} kind="bad" />
    ${isSuccess && html`<${Block} title="Output" text=${output} kind="output" />`}
    ${isSuccess && output === "" && html`<p class="quiet">It wrote nothing.</p>`}
    ${!(isSuccess && isRepeated && !run.stdout_truncated) && html`<${Block} title="stdout" text=${run.stdout} note=${cut(run.stdout_truncated)} />`}
    <${Block} title="stderr" text=${run.stderr} note=${cut(run.stderr_truncated)} />
    <${Timings} run=${run} />
    <${Facts}
      pairs=${[
        run.exit_code !== null && ["Exit code", String(run.exit_code)],
        run.max_memory_mib !== null && ["Memory peak", mib(run.max_memory_mib)],
        ["Request id", html`<code>${run.request_id}</code>`],
      ]}
    />
  </div>`;
}
