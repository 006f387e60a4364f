// One function: its code and runs, its settings, its versions, its output as it comes.

import { call } from "../lib/api.js";
import { ago } from "../lib/format.js";
import { html, useEffect } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { to } from "../lib/router.js";
import { useToken } from "../lib/token.js";
import { Chip, Loaded } from "../ui/basics.js";
import { Locked } from "../ui/token.js";
import { CodeTab } from "./function/code.js";
import { LogsTab } from "./function/logs.js";
import { SettingsTab } from "./function/settings.js";
import { VersionsTab } from "./function/versions.js";

const TABS = [
  ["code", "Code and run", CodeTab],
  ["settings", "Settings", SettingsTab],
  ["versions", "Versions", VersionsTab],
  ["logs", "Live log", LogsTab],
];

export function FunctionScreen({ name, query }) {
  const secret = useToken();
  const load = useLoad((signal) => call("GET", `functions/${encodeURIComponent(name)}`, { signal }), `${name} ${secret}`);
  useEffect(() => {
    document.title = `${name} · lambda`;
  }, [name]);
  if (load.error?.status === 401 && secret === null) return html`<${Locked} title="This server needs a token" />`;
  const [tab, , Tab] = TABS.find(([word]) => word === query.tab) ?? TABS[0];
  return html`
    <nav class="crumbs" aria-label="Breadcrumb"><a href=${to(["functions"])}>Functions</a><span aria-hidden="true">/</span></nav>
    <${Loaded} load=${load} lines=${8}>
      ${(fn) => html`
        <div class="head">
          <div>
            <h1 id="run-title">${fn.name}</h1>
            ${fn.description && html`<p class="lead">${fn.description}</p>`}
          </div>
          <span class="chips">
            <${Chip} kind=${fn.language}>${fn.language === "python" ? "Python" : "JavaScript"}<//>
            <${Chip}>version ${fn.version}<//>
            <span class="quiet">saved ${ago(fn.updated_at)}</span>
          </span>
        </div>
        <nav class="tabs" aria-label="Parts of the function">
          ${TABS.map(
            ([word, label]) => html`<a key=${word} href=${to(["functions", fn.name], { tab: word === "code" ? "" : word })} aria-current=${word === tab ? "page" : undefined}>${label}</a>`,
          )}
        </nav>
        <${Tab} key=${fn.id} fn=${fn} reload=${load.reload} />
      `}
    <//>
  `;
}
