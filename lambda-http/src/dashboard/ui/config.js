// The fields of a function's configuration.

import { html } from "../lib/html.js";
import { Choice, Field } from "./basics.js";

const RUNTIMES = [
  ["docker", "Docker"],
  ["gvisor", "gVisor"],
];

const NUMBERS = [
  ["timeout_ms", "Timeout", "milliseconds, 1 to 900000", { min: 1, max: 900_000, required: true }],
  ["memory_mib", "Memory", "MiB, 64 to 10240; /tmp counts", { min: 64, max: 10_240, required: true }],
  ["cpus", "CPUs", "0.1 to 64", { min: 0.1, max: 64, step: "any", required: true }],
  ["tmp_mib", "/tmp", "MiB; empty: a quarter of the memory", { min: 0 }],
  ["concurrency", "Concurrency", "sandboxes at once; empty: the server's bound", { min: 1 }],
];

export function RuntimeField({ config, onChange, legend = "Runtime" }) {
  const options = RUNTIMES.some(([name]) => name === config.runtime) ? RUNTIMES : [...RUNTIMES, [config.runtime, config.runtime]];
  return html`<${Choice} legend=${legend} name="function-runtime" options=${options} value=${config.runtime} onChange=${(runtime) => onChange({ ...config, runtime })} />`;
}

export function DescriptionField({ config, onChange }) {
  return html`<${Field} id="description" label="Description">
    <input id="description" maxlength="256" value=${config.description} onInput=${(event) => onChange({ ...config, description: event.currentTarget.value })} />
  <//>`;
}

export function LimitFields({ config, onChange }) {
  const text = (name, label, hint) => html`<${Field} id=${name} label=${label} hint=${hint}>
    <input id=${name} spellcheck=${false} aria-describedby=${`${name}-hint`} value=${config[name]} onInput=${(event) => onChange({ ...config, [name]: event.currentTarget.value })} />
  <//>`;
  return html`<div class="fields">
    ${NUMBERS.map(
      ([name, label, hint, bounds]) => html`<${Field} key=${name} id=${name} label=${label} hint=${hint}>
        <input
          id=${name}
          type="number"
          inputmode="decimal"
          ...${bounds}
          aria-describedby=${`${name}-hint`}
          value=${config[name]}
          onInput=${(event) => onChange({ ...config, [name]: event.currentTarget.value })}
        />
      <//>`,
    )}
    ${text("image", "Image", "empty: the language's own")}
    ${text("network", "Network", "none, or one that the operator listed")}
    <label class="check">
      <input type="checkbox" id="fresh_process" checked=${config.fresh_process} onChange=${(event) => onChange({ ...config, fresh_process: event.currentTarget.checked })} />
      <span>A fresh process for each invocation</span>
    </label>
  </div>`;
}

export function EnvFields({ config, onChange }) {
  const set = (env) => onChange({ ...config, env });
  const change = (index, at, value) => set(config.env.map((row, i) => (i === index ? row.with(at, value) : row)));
  return html`<fieldset class="env">
    <legend>Environment variables</legend>
    ${config.env.length === 0 && html`<p class="quiet">None.</p>`}
    ${config.env.map(
      ([name, value], index) => html`<div class="env-row" key=${index}>
        <input class="code" aria-label=${`Name of variable ${index + 1}`} placeholder="NAME" spellcheck=${false} value=${name} onInput=${(event) => change(index, 0, event.currentTarget.value)} />
        <input class="code" aria-label=${`Value of variable ${index + 1}`} placeholder="value" spellcheck=${false} value=${value} onInput=${(event) => change(index, 1, event.currentTarget.value)} />
        <button type="button" class="quiet-button" aria-label=${`Remove variable ${name || index + 1}`} onClick=${() => set(config.env.filter((_, i) => i !== index))}>✕</button>
      </div>`,
    )}
    <button type="button" id="env-add" onClick=${() => set([...config.env, ["", ""]])}>Add a variable</button>
  </fieldset>`;
}
