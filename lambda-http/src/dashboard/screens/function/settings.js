// Limits, environment and the rest of the configuration; and the way to delete the function.

import { call } from "../../lib/api.js";
import { changes, fromFunction } from "../../lib/config.js";
import { useDraft } from "../../lib/draft.js";
import { html, useState } from "../../lib/html.js";
import { go } from "../../lib/router.js";
import { Failure, Field } from "../../ui/basics.js";
import { DescriptionField, EnvFields, LimitFields, RuntimeField } from "../../ui/config.js";
import { Confirm } from "../../ui/dialog.js";

export function SettingsTab({ fn, reload }) {
  const old = fromFunction(fn);
  const [config, setConfig, settleConfig] = useDraft(old);
  const [handler, setHandler, settleHandler] = useDraft(fn.handler ?? "");
  const [state, setState] = useState({ kind: "idle" });

  const save = async (event) => {
    event.preventDefault();
    setState({ kind: "saving" });
    try {
      const body = changes(config, old);
      const wanted = handler.trim() === "" ? null : handler.trim();
      if (wanted !== fn.handler) body.handler = wanted;
      if (Object.keys(body).length === 0) {
        setState({ kind: "saved", text: "Nothing was changed." });
        return;
      }
      const updated = await call("PUT", `functions/${fn.id}`, { body: JSON.stringify(body) });
      await reload();
      settleConfig(config);
      settleHandler(handler);
      setState({ kind: "saved", text: `Saved as version ${updated.version}.` });
    } catch (error) {
      setState({ kind: "failed", error });
    }
  };

  return html`
    <form class="panel" autocomplete="off" onSubmit=${save} aria-label="Settings">
      <div class="fields">
        <${DescriptionField} config=${config} onChange=${setConfig} />
        <${Field} id="handler" label="Handler" hint="module.function; empty for a script">
          <input id="handler" maxlength="128" spellcheck=${false} aria-describedby="handler-hint" value=${handler} onInput=${(event) => setHandler(event.currentTarget.value)} />
        <//>
        <${RuntimeField} config=${config} onChange=${setConfig} />
      </div>
      <h2>Limits</h2>
      <${LimitFields} config=${config} onChange=${setConfig} />
      <${EnvFields} config=${config} onChange=${setConfig} />
      ${state.kind === "failed" && html`<${Failure} error=${state.error} />`}
      <div class="bar end">
        <span class="quiet" role="status" id="settings-status">${state.text}</span>
        <button class="primary" id="settings-save" disabled=${state.kind === "saving"}>${state.kind === "saving" ? "Saving …" : "Save settings"}</button>
      </div>
    </form>
    <${Delete} fn=${fn} />
  `;
}

function Delete({ fn }) {
  const [isAsking, setIsAsking] = useState(false);
  const [error, setError] = useState(null);
  const remove = async () => {
    setIsAsking(false);
    try {
      await call("DELETE", `functions/${fn.id}`);
      go(["functions"]);
    } catch (error) {
      setError(error);
    }
  };
  return html`<section class="panel" aria-labelledby="delete-title">
    <div class="bar">
      <div>
        <h2 id="delete-title">Delete this function</h2>
        <p class="quiet">With all its versions and aliases. Records of its runs stay.</p>
      </div>
      <button type="button" class="danger" id="delete" onClick=${() => setIsAsking(true)}>Delete</button>
    </div>
    ${error && html`<${Failure} error=${error} />`}
    ${isAsking &&
    html`<${Confirm} title=${`Delete ${fn.name}?`} yes="Delete" onYes=${remove} onNo=${() => setIsAsking(false)}>
      <p>All its versions go with it. This cannot be undone.</p>
    <//>`}
  </section>`;
}
