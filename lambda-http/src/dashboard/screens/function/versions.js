// The history of a function: what changed between versions, and the way back.

import { call, listAll } from "../../lib/api.js";
import { diffLines, hunks } from "../../lib/diff.js";
import { when } from "../../lib/format.js";
import { html, useMemo, useState } from "../../lib/html.js";
import { useLoad } from "../../lib/load.js";
import { Chip, Failure, Loaded, Loading } from "../../ui/basics.js";
import { Confirm } from "../../ui/dialog.js";
import { Diff } from "../../ui/diff.js";
import { FileChanges } from "./files.js";

const COMPARED = ["handler", "description", "language", "runtime", "timeout_ms", "memory_mib", "cpus", "tmp_mib", "concurrency", "image", "network", "fresh_process", "min_warm", "keep_processes", "env"];

export function VersionsTab({ fn, reload }) {
  const load = useLoad(
    async (signal) => {
      const [versions, aliases] = await Promise.all([
        listAll(`functions/${fn.id}/versions`, { signal }),
        call("GET", `functions/${fn.id}/aliases`, { signal }),
      ]);
      return { versions, aliases };
    },
    fn.revision_id,
  );
  return html`<${Loaded} load=${load} lines=${6}>
    ${({ versions, aliases }) => html`<${History} fn=${fn} versions=${versions} aliases=${aliases} reload=${reload} />`}
  <//>`;
}

function History({ fn, versions, aliases, reload }) {
  const newest = versions[0]?.version ?? fn.version;
  const [range, setRange] = useState({ before: versions[1]?.version ?? newest, after: newest });
  const [asked, setAsked] = useState(null);
  const [error, setError] = useState(null);
  const rollBack = async () => {
    const version = asked;
    setAsked(null);
    setError(null);
    try {
      await call("PUT", `functions/${fn.id}/aliases/current`, { body: JSON.stringify({ version, revision_id: fn.revision_id }) });
      await reload();
    } catch (error) {
      setError(error);
    }
  };
  return html`<div class="columns history">
    <section class="panel" aria-labelledby="versions-title">
      <h2 id="versions-title">Versions</h2>
      ${error && html`<${Failure} error=${error} />`}
      <ol class="versions" reversed>
        ${versions.map((version) => {
          const isCurrent = version.version === fn.version;
          const others = aliases.filter((alias) => alias.version === version.version && alias.name !== "current");
          return html`<li key=${version.version} aria-current=${isCurrent ? "true" : undefined}>
            <div>
              <strong>Version ${version.version}</strong>
              ${isCurrent && html` <${Chip} kind="good">current<//>`}
              ${others.map((alias) => html` <${Chip} key=${alias.name}>${alias.name}<//>`)}
              <br /><small>${when(version.updated_at)} · ${version.code_sha256?.slice(0, 8)}</small>
            </div>
            ${!isCurrent && html`<button type="button" class="roll-back" onClick=${() => setAsked(version.version)} aria-label=${`Make version ${version.version} current`}>Make current</button>`}
          </li>`;
        })}
      </ol>
    </section>
    <section class="panel" aria-labelledby="diff-title">
      <div class="bar">
        <h2 id="diff-title">Changes</h2>
        <div class="bar">
          <${Pick} label="From version" id="diff-before" versions=${versions} value=${range.before} onChange=${(before) => setRange({ ...range, before })} />
          <span aria-hidden="true">→</span>
          <${Pick} label="To version" id="diff-after" versions=${versions} value=${range.after} onChange=${(after) => setRange({ ...range, after })} />
        </div>
      </div>
      ${versions.length < 2 ? html`<p class="quiet">Every save makes a version. With the second one, changes are shown here.</p>` : html`<${Changes} fn=${fn} range=${range} />`}
    </section>
    ${asked !== null &&
    html`<${Confirm} title=${`Make version ${asked} current?`} yes="Make current" onYes=${rollBack} onNo=${() => setAsked(null)}>
      <p>Calls without a version run version ${asked} from then on. Version ${fn.version} stays, and can be made current again.</p>
    <//>`}
  </div>`;
}

function Pick({ label, id, versions, value, onChange }) {
  return html`<select id=${id} aria-label=${label} value=${value} onChange=${(event) => onChange(Number(event.currentTarget.value))}>
    ${versions.map(({ version }) => html`<option key=${version} value=${version} selected=${version === value}>${version}</option>`)}
  </select>`;
}

function Changes({ fn, range }) {
  const load = useLoad(
    (signal) => Promise.all([range.before, range.after].map((version) => call("GET", `functions/${fn.id}?qualifier=${version}`, { signal }))),
    `${range.before} ${range.after}`,
  );
  if (load.data === null) return load.error ? html`<${Failure} error=${load.error} retry=${load.reload} />` : html`<${Loading} />`;
  const [before, after] = load.data;
  return html`<${ConfigChanges} before=${before} after=${after} /><${CodeChanges} before=${before} after=${after} />`;
}

const printed = (value) => (value === null || value === "" ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value));

function ConfigChanges({ before, after }) {
  const changed = COMPARED.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  if (changed.length === 0) return null;
  return html`<table class="config-diff">
    <caption class="visually-hidden">Settings that changed</caption>
    <thead><tr><th scope="col">Setting</th><th scope="col">Version ${before.version}</th><th scope="col">Version ${after.version}</th></tr></thead>
    <tbody>
      ${changed.map((name) => html`<tr key=${name}><th scope="row"><code>${name}</code></th><td class="removed">${printed(before[name])}</td><td class="added">${printed(after[name])}</td></tr>`)}
    </tbody>
  </table>`;
}

function CodeChanges({ before, after }) {
  const lines = useMemo(() => {
    if (before.code === undefined || after.code === undefined) return null;
    const all = diffLines(before.code, after.code);
    return all && hunks(all);
  }, [before, after]);
  if (before.code_sha256 === after.code_sha256) return html`<p class="quiet">The code is the same.</p>`;
  if (before.code_format === "zip" && after.code_format === "zip") return html`<${FileChanges} before=${before} after=${after} />`;
  if (lines === null) {
    return html`<p class="quiet">The code differs, and cannot be shown line by line: ${before.code_format === after.code_format ? "too much of it changed" : "one of the two is a zip archive"}.</p>`;
  }
  return html`<${Diff} lines=${lines} label="Changes of the code" />`;
}
