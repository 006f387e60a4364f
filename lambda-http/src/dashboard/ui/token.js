// Where a token is entered, and what stands where one is needed.

import { call } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { token, useToken } from "../lib/token.js";

/** Keeps a token if the server knows it. Answers with null, or with what is wrong. */
async function accept(secret) {
  if (secret === "") return "Enter a token first.";
  try {
    await call("GET", "metrics/summary", { bearer: secret });
  } catch (error) {
    // A token that may do other things than read metrics is a right one.
    if (error.status === 401) return "Wrong token. Metrics stay hidden until a right one is entered.";
    if (error.status !== 403) return error.message;
  }
  token.set(secret);
  return null;
}

export function TokenForm({ isFocused = false }) {
  const [message, setMessage] = useState(null);
  const [isChecking, setIsChecking] = useState(false);
  const input = useRef(null);
  useEffect(() => {
    if (isFocused) input.current.focus();
  }, []);
  const onSubmit = async (event) => {
    event.preventDefault();
    if (isChecking) return;
    setIsChecking(true);
    setMessage(null);
    const wrong = await accept(input.current.value.trim());
    setIsChecking(false);
    if (wrong === null) return;
    token.forget();
    setMessage(wrong);
    input.current.focus();
  };
  return html`<form class="token" id="token-form" autocomplete="off" onSubmit=${onSubmit}>
    <label for="token">Access token</label>
    <div class="bar">
      <input
        id="token"
        ref=${input}
        type="password"
        autocomplete="off"
        spellcheck=${false}
        placeholder="lambda_…"
        aria-describedby="token-message token-hint"
        aria-invalid=${message !== null}
      />
      <button class="primary" id="token-save">${isChecking ? "Checking …" : "Unlock"}</button>
    </div>
    <p id="token-message" class="message bad" role="alert">${message}</p>
    <small id="token-hint">Shown when the server first started; kept in the file <code>token</code> of its data directory. This page forgets it with the tab.</small>
  </form>`;
}

/** Shows `children` to holders of a token, the form to others. */
export function Locked({ title, children }) {
  const secret = useToken();
  if (secret !== null) return children;
  return html`<section class="panel lock" aria-labelledby="lock-title">
    <svg class="lock-mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 10V7a5 5 0 0 1 10 0v3M5 10h14v10H5z" /></svg>
    <h2 id="lock-title">${title}</h2>
    <${TokenForm} isFocused />
  </section>`;
}

/** A wrong or withdrawn token is forgotten, so that the form comes back. */
export function useForgetWrong(error) {
  useEffect(() => {
    if (error?.status === 401) token.forget();
  }, [error]);
}
