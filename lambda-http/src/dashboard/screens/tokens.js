// Who may do what: tokens, each with its scopes.

import { call } from "../lib/api.js";
import { when } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { token } from "../lib/token.js";
import { Chip, Empty, Failure, Field, Loaded } from "../ui/basics.js";
import { Confirm } from "../ui/dialog.js";
import { Locked, useForgetWrong } from "../ui/token.js";

const SCOPES = [
  ["invoke", "run functions, and cancel runs"],
  ["functions:read", "see functions, their code and versions"],
  ["functions:write", "create, change and delete functions"],
  ["metrics:read", "see metrics, invocations, logs and the pool"],
  ["admin", "everything, tokens too"],
];

export function Tokens() {
  return html`<${Locked} title="Tokens need the operator's token, or one with the scope admin"><${Page} /><//>`;
}

function Page() {
  const load = useLoad((signal) => call("GET", "tokens", { signal }), "tokens");
  const [made, setMade] = useState(null);
  useForgetWrong(load.error);
  return html`
    <div class="head"><h1>Tokens</h1></div>
    ${load.error?.status === 403
      ? html`<section class="panel" id="tokens-denied">
          <${Empty} title="Your token may not manage tokens">
            <p>It lacks the scope <code>admin</code>. The operator's token has it.</p>
            <button type="button" class="primary" onClick=${() => token.forget()}>Enter another token</button>
          <//>
        </section>`
      : html`<div class="columns">
          <section class="panel" aria-labelledby="tokens-title" id="tokens">
            <h2 id="tokens-title">Existing tokens</h2>
            <${Loaded} load=${load} lines=${4}>${(tokens) => html`<${List} tokens=${tokens} reload=${load.reload} />`}<//>
          </section>
          <div class="stack">
            ${made && html`<${Secret} made=${made} onDone=${() => setMade(null)} />`}
            <${New} onMade=${(token) => {
              setMade(token);
              load.reload();
            }} />
          </div>
        </div>`}
  `;
}

function List({ tokens, reload }) {
  const [asked, setAsked] = useState(null);
  const [error, setError] = useState(null);
  const revoke = async () => {
    const { id } = asked;
    setAsked(null);
    setError(null);
    try {
      await call("DELETE", `tokens/${id}`);
    } catch (error) {
      setError(error);
    }
    await reload();
  };
  return html`
    ${error && html`<${Failure} error=${error} />`}
    ${tokens.length === 0
      ? html`<${Empty} title="No tokens yet"><p>Only the operator's own token works. Make one for each program, with the scopes that it needs.</p><//>`
      : html`<ul class="versions">
          ${tokens.map(
            (own) => html`<li key=${own.id}>
              <div class="token-own">
                <strong>${own.name}</strong>
                <span class="chips">${own.scopes.map((scope) => html`<${Chip} key=${scope} kind=${scope === "admin" ? "half_open" : ""}>${scope}<//>`)}</span>
                <small>made ${when(own.created_at)}</small>
              </div>
              <button type="button" class="revoke" aria-label=${`Revoke ${own.name}`} onClick=${() => setAsked(own)}>Revoke</button>
            </li>`,
          )}
        </ul>`}
    <small>The operator's token is not among them: it is in the file <code>token</code> of the data directory.</small>
    ${asked !== null &&
    html`<${Confirm} title=${`Revoke ${asked.name}?`} yes="Revoke" onYes=${revoke} onNo=${() => setAsked(null)}>
      <p>Whoever uses it is refused from then on: here at once, on other servers that share the store within a second. This cannot be undone.</p>
    <//>`}
  `;
}

function New({ onMade }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(["invoke"]);
  const [state, setState] = useState({ kind: "idle" });
  const isSaving = state.kind === "saving";
  const choose = (scope, isChosen) => setScopes(SCOPES.map(([own]) => own).filter((own) => (own === scope ? isChosen : scopes.includes(own))));
  const submit = async (event) => {
    event.preventDefault();
    if (isSaving) return;
    if (scopes.length === 0) {
      setState({ kind: "failed", error: { message: "Choose at least one scope.", hint: "A token without any could do nothing." } });
      return;
    }
    setState({ kind: "saving" });
    try {
      const made = await call("POST", "tokens", { body: JSON.stringify({ name: name.trim(), scopes }) });
      setState({ kind: "idle" });
      setName("");
      onMade(made);
    } catch (error) {
      setState({ kind: "failed", error });
    }
  };
  return html`<form class="panel" id="token-new" aria-labelledby="token-new-title" autocomplete="off" onSubmit=${submit}>
    <h2 id="token-new-title">New token</h2>
    <${Field} id="token-name" label="Name" hint="Who uses it, for instance ci.">
      <input id="token-name" required maxlength="100" spellcheck=${false} aria-describedby="token-name-hint" value=${name} onInput=${(event) => setName(event.currentTarget.value)} />
    <//>
    <fieldset class="scopes">
      <legend>It may</legend>
      ${SCOPES.map(
        ([scope, what]) => html`<label class="check" key=${scope}>
          <input type="checkbox" name="scope" value=${scope} checked=${scopes.includes(scope)} onChange=${(event) => choose(scope, event.currentTarget.checked)} />
          <span>${what} <small><code>${scope}</code></small></span>
        </label>`,
      )}
    </fieldset>
    ${state.kind === "failed" && html`<${Failure} error=${state.error} />`}
    <div class="bar end"><button class="primary" id="token-make" disabled=${isSaving}>${isSaving ? "Making …" : "Make token"}</button></div>
  </form>`;
}

/** The one time that a secret is there to be seen. */
function Secret({ made, onDone }) {
  const field = useRef(null);
  const [told, setTold] = useState("");
  useEffect(() => {
    setTold("");
    field.current.focus();
    field.current.select();
  }, [made.id]);
  const copy = async () => {
    field.current.select();
    try {
      await navigator.clipboard.writeText(made.secret);
      setTold("Copied.");
    } catch {
      // Browsers keep the clipboard from pages that did not come encrypted or from this machine.
      setTold(document.execCommand("copy") ? "Copied." : "Press Ctrl+C: it is selected.");
    }
  };
  return html`<section class="panel made" id="token-made" aria-labelledby="token-made-title">
    <h2 id="token-made-title">Token ${made.name} is made</h2>
    <p>Copy its secret now. It is shown this once: the server keeps only a hash of it.</p>
    <div class="secret">
      <input id="token-secret" ref=${field} readonly aria-label="Secret" spellcheck=${false} autocomplete="off" value=${made.secret} onFocus=${(event) => event.currentTarget.select()} />
      <button type="button" class="primary" id="token-copy" onClick=${copy}>Copy</button>
    </div>
    <div class="bar"><span class="quiet" role="status" id="token-told">${told}</span><button type="button" id="token-done" onClick=${onDone}>I have it</button></div>
  </section>`;
}
