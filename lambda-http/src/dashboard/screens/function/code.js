// The code of the current version beside its runs.

import { call, download } from "../../lib/api.js";
import { base64 } from "../../lib/base64.js";
import { useDraft } from "../../lib/draft.js";
import { bytes } from "../../lib/format.js";
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { Failure } from "../../ui/basics.js";
import { Editor } from "../../ui/editor.js";
import { RunPanel } from "../../ui/run.js";
import { Upload } from "../../ui/upload.js";

export function CodeTab({ fn, reload }) {
  const [code, setCode, settle] = useDraft(fn.code ?? null);
  const [error, setError] = useState(null);
  const [saved, setSaved] = useState(null);
  const [isSaving, setIsSaving] = useState(false);
  const run = useRef(null);
  const isChanged = code !== null && code !== (fn.code ?? null);
  useEffect(() => {
    if (!isChanged) return undefined;
    const keep = (event) => event.preventDefault();
    window.addEventListener("beforeunload", keep);
    return () => window.removeEventListener("beforeunload", keep);
  }, [isChanged]);

  const put = async (body) => {
    if (isSaving) return;
    setIsSaving(true);
    setError(null);
    setSaved(null);
    try {
      const updated = await call("PUT", `functions/${fn.id}`, { body: JSON.stringify(body) });
      await reload();
      settle(code);
      setSaved(updated.version);
    } catch (error) {
      setError(error);
    } finally {
      setIsSaving(false);
    }
  };
  const save = () => isChanged && put({ code });
  const onFile = async ({ file, text }) => {
    if (text === null) await put({ code_zip_base64: await base64(file) });
    else setCode(text);
  };
  const fetchCode = async () => {
    setError(null);
    const extension = fn.code_format === "zip" ? "zip" : fn.language === "python" ? "py" : "mjs";
    try {
      await download(`functions/${fn.id}/code`, `${fn.name}.${extension}`);
    } catch (error) {
      setError(error.isUnknownRoute ? new Error("This server does not hand out code.") : error);
    }
  };
  const request = ({ input, runtime }) => {
    const choice = runtime === "docker" || runtime === "gvisor" ? `"use_gvisor":${runtime === "gvisor"},` : "";
    return { path: "functions/execute", body: `{"id":${JSON.stringify(fn.id)},${choice}${input}}` };
  };

  return html`<div class="columns">
    <section class="panel" aria-labelledby="code-title">
      <div class="bar">
        <h2 id="code-title">Code</h2>
        <div class="bar">
          <${Upload} label="Upload" onFile=${onFile} onError=${setError} />
          ${code === null && html`<button type="button" onClick=${fetchCode}>Download</button>`}
          <button type="button" id="save" class=${isChanged ? "primary" : ""} disabled=${!isChanged || isSaving} onClick=${save}>${isSaving ? "Saving …" : "Save"}</button>
        </div>
      </div>
      ${error && html`<${Failure} error=${error} />`}
      ${code === null
        ? html`<p class="notice">A zip archive of ${bytes(fn.code_size_bytes)}. Upload another one, or one file, to replace it.</p>`
        : html`<${Editor} id="code" label=${`Code of ${fn.name}`} language=${fn.language} value=${code} onInput=${setCode} onSave=${save} onRun=${() => run.current?.()} rows="tall" />`}
      <small role="status" id="code-status">
        ${isChanged ? "Unsaved changes. Saving (Ctrl+S) makes a new version." : saved !== null ? `Saved as version ${saved}.` : `${bytes(fn.code_size_bytes)}, ${fn.handler === null ? "a script" : `handler ${fn.handler}`}.`}
      </small>
    </section>
    <${RunPanel} fn=${fn} request=${request} shortcut=${run} note=${isChanged ? `Runs version ${fn.version}, without the unsaved changes.` : null} />
  </div>`;
}
