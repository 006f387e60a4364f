// A new function: write or upload it, try it, save it.

import { call } from "../lib/api.js";
import { base64 } from "../lib/base64.js";
import { changes, DEFAULTS } from "../lib/config.js";
import { bytes } from "../lib/format.js";
import { html, useRef, useState } from "../lib/html.js";
import { go, to } from "../lib/router.js";
import { isStarter, languageOf, starter } from "../lib/starters.js";
import { Choice, Failure, Field } from "../ui/basics.js";
import { DescriptionField, EnvFields, LimitFields, RuntimeField } from "../ui/config.js";
import { Editor } from "../ui/editor.js";
import { RunPanel } from "../ui/run.js";
import { Upload } from "../ui/upload.js";

const LANGUAGES = [
  ["python", "Python"],
  ["javascript", "JavaScript"],
];

const KINDS = [
  ["script", "Script"],
  ["handler", "Handler"],
];

export function NewFunction() {
  const [name, setName] = useState("");
  const [language, setLanguage] = useState("python");
  const [handler, setHandler] = useState("");
  const [code, setCode] = useState(starter("python", false));
  const [zip, setZip] = useState(null);
  const [config, setConfig] = useState(DEFAULTS);
  const [error, setError] = useState(null);
  const [isSaving, setIsSaving] = useState(false);
  const form = useRef(null);
  const tryIt = useRef(null);

  /** Shows the code to start from, unless somebody has written some. */
  const choose = (nextLanguage, nextHandler) => {
    setLanguage(nextLanguage);
    setHandler(nextHandler);
    if (isStarter(code)) setCode(starter(nextLanguage, nextHandler.trim() !== ""));
  };
  const onFile = ({ file, text }) => {
    setError(null);
    const known = languageOf(file.name);
    if (known) setLanguage(known);
    if (name === "") setName(file.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_-]+/g, "-").slice(0, 64));
    if (text === null) {
      setZip(file);
      if (handler === "") setHandler("main.handler");
    } else {
      setZip(null);
      setCode(text);
    }
  };
  const fields = async () => ({
    language,
    handler: handler.trim() === "" ? null : handler.trim(),
    ...changes(config),
    ...(zip ? { code_zip_base64: await base64(zip) } : { code }),
  });
  const save = async () => {
    if (isSaving || !form.current.reportValidity()) return;
    setIsSaving(true);
    setError(null);
    try {
      const created = await call("POST", "functions", { body: JSON.stringify({ name, ...(await fields()) }) });
      go(["functions", created.name]);
    } catch (error) {
      setError(error);
      setIsSaving(false);
    }
  };
  const request = async ({ input, runtime }) => {
    const body = JSON.stringify({ ...(await fields()), runtime });
    return { path: "functions/test", body: `${body.slice(0, -1)},${input}}` };
  };
  const fn = { handler: handler.trim() === "" ? null : handler, runtime: config.runtime };

  return html`
    <nav class="crumbs" aria-label="Breadcrumb"><a href=${to(["functions"])}>Functions</a><span aria-hidden="true">/</span></nav>
    <div class="head">
      <h1>New function</h1>
      <button class="primary" id="create-save" type="button" disabled=${isSaving} onClick=${save}>${isSaving ? "Creating …" : "Create function"}</button>
    </div>
    <div id="create-message">${error && html`<${Failure} error=${error} />`}</div>
    <form
      class="work"
      ref=${form}
      id="create-form"
      autocomplete="off"
      onSubmit=${(event) => {
        event.preventDefault();
        save();
      }}
    >
      <section class="panel" aria-label="What it is">
        <div class="fields">
          <${Field} id="create-name" label="Name" hint="Letters, digits, - and _">
            <input
              id="create-name"
              required
              maxlength="64"
              pattern="[A-Za-z0-9_\\-]+"
              spellcheck=${false}
              autofocus
              placeholder="hello"
              aria-describedby="create-name-hint"
              value=${name}
              onInput=${(event) => setName(event.currentTarget.value)}
            />
          <//>
          <${Choice} legend="Language" name="language" options=${LANGUAGES} value=${language} onChange=${(value) => choose(value, handler)} />
          <${Choice} legend="Kind" name="kind" options=${KINDS} value=${handler.trim() === "" ? "script" : "handler"} onChange=${(value) => choose(language, value === "script" ? "" : "main.handler")} />
          <${RuntimeField} config=${config} onChange=${setConfig} />
        </div>
        <p class="quiet">
          ${fn.handler === null
            ? "A script is a program: arguments in, what it prints out. Each run is a fresh process."
            : "A handler is a function that is called with a JSON event and answers with JSON, as in AWS Lambda."}
        </p>
        <details>
          <summary>More: handler's name, description, limits, environment</summary>
          <div class="stack">
            <div class="fields">
              <${Field} id="create-handler" label="Handler" hint="module.function; empty for a script">
                <input id="create-handler" maxlength="128" spellcheck=${false} placeholder="main.handler" aria-describedby="create-handler-hint" value=${handler} onInput=${(event) => choose(language, event.currentTarget.value)} />
              <//>
              <${DescriptionField} config=${config} onChange=${setConfig} />
            </div>
            <${LimitFields} config=${config} onChange=${setConfig} />
            <${EnvFields} config=${config} onChange=${setConfig} />
          </div>
        </details>
      </section>
    </form>
    <div class="columns">
      <section class="panel" aria-labelledby="code-title">
        <div class="bar">
          <h2 id="code-title">Code</h2>
          <${Upload} onFile=${onFile} onError=${setError} />
        </div>
        ${zip
          ? html`<div class="notice"><p><strong>${zip.name}</strong> (${bytes(zip.size)}) will be uploaded as it is.</p><button type="button" onClick=${() => setZip(null)}>Write code instead</button></div>`
          : html`<${Editor} id="create-code" label="Code" language=${language} value=${code} onInput=${setCode} onSave=${save} onRun=${() => tryIt.current?.()} rows="tall" />`}
      </section>
      <${RunPanel} fn=${fn} title="Try it" action="Try" shortcut=${tryIt} request=${request} note="Runs the code as it stands, without saving it." unknownRoute="This server runs saved functions only. Create the function, then run it." />
    </div>
  `;
}
