// How a function is called, and what comes of it, live.

import { call, run as runFunction } from "../lib/api.js";
import { ms } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { Choice, Failure } from "./basics.js";
import { Editor } from "./editor.js";
import { Result } from "./result.js";

/** Live output beyond this is dropped from the front; the result has all that is kept. */
const LIVE_MAX = 200_000;

/** `"args":[…]` or `"event":…`. The event goes out as it was typed: reading and printing it would
 * round its numbers. */
export function inputField(text, isScript) {
  if (isScript) {
    const args = text === "" ? [] : text.replace(/\n$/, "").split("\n");
    return `"args":${JSON.stringify(args)}`;
  }
  if (text.trim() === "") return `"event":null`;
  try {
    JSON.parse(text);
  } catch (cause) {
    throw Object.assign(new Error("The event is not JSON."), { hint: cause.message });
  }
  return `"event":${text}`;
}

function useClock(isRunning) {
  const [elapsedMs, setElapsedMs] = useState(0);
  useEffect(() => {
    if (!isRunning) return undefined;
    const begin = performance.now();
    setElapsedMs(0);
    const timer = setInterval(() => setElapsedMs(performance.now() - begin), 100);
    return () => clearInterval(timer);
  }, [isRunning]);
  return elapsedMs;
}

/**
 * `fn` has `handler` and `runtime`. `request({input, runtime})` answers with `{path, body}` of the
 * call; `input` is the field with the args or the event.
 */
export function RunPanel({ fn, title = "Run", request, note, action = "Run", shortcut, unknownRoute }) {
  const isScript = fn.handler === null;
  const [texts, setTexts] = useState({ script: "", handler: '{\n  "name": "Alice"\n}' });
  // A choice stands until the function's own runtime is another one.
  const [choice, setChoice] = useState(null);
  const runtime = choice?.of === fn.runtime ? choice.runtime : fn.runtime;
  const [state, setState] = useState({ kind: "idle" });
  const stopped = useRef(null);
  const kind = isScript ? "script" : "handler";
  const isRunning = state.kind === "running";
  const elapsedMs = useClock(isRunning);
  useEffect(() => () => stopped.current?.abort(), []);

  const submit = async () => {
    if (isRunning) return;
    const mine = new AbortController();
    stopped.current = mine;
    const update = (change) => {
      if (!mine.signal.aborted) setState(change);
    };
    setState({ kind: "running", id: null, live: "" });
    try {
      const { path, body } = await request({ input: inputField(texts[kind], isScript), runtime });
      const run = await runFunction(path, body, {
        signal: mine.signal,
        onStart: ({ request_id }) => update((old) => ({ ...old, id: request_id })),
        onLog: ({ text }) => update((old) => ({ ...old, live: (old.live + text).slice(-LIVE_MAX) })),
      });
      update({ kind: "done", run });
    } catch (error) {
      update({ kind: "failed", error: unknownRoute && error.isUnknownRoute ? new Error(unknownRoute) : error });
    }
  };
  if (shortcut) shortcut.current = submit;

  const runtimes = [
    ["docker", "Docker", fn.runtime === "gvisor"],
    ["gvisor", "gVisor", false],
  ];
  if (!runtimes.some(([name]) => name === fn.runtime)) runtimes.unshift([fn.runtime, fn.runtime, false]);

  return html`<section class="panel" id="run" aria-labelledby="run-heading">
    <h2 id="run-heading">${title}</h2>
    <form
      class="stack"
      onSubmit=${(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div class="field">
        <label for="input">${isScript ? "Arguments" : "Event"}</label>
        ${isScript
          ? html`<textarea
              id="input"
              class="code"
              rows="2"
              spellcheck=${false}
              placeholder="Alice"
              aria-describedby="input-hint"
              value=${texts.script}
              onInput=${(event) => setTexts({ ...texts, script: event.currentTarget.value })}
              onKeyDown=${(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
              }}
            ></textarea>`
          : html`<${Editor}
              id="input"
              label="Event"
              rows="short"
              language="json"
              describedBy="input-hint"
              value=${texts.handler}
              onInput=${(handler) => setTexts({ ...texts, handler })}
              onRun=${submit}
            />`}
        <small id="input-hint">${isScript ? "One on each line." : "JSON."} Ctrl+Enter runs.</small>
      </div>
      <div class="bar foot">
        <${Choice} legend="Run in" name="runtime" options=${runtimes} value=${runtime} onChange=${(runtime) => setChoice({ of: fn.runtime, runtime })} />
        <button class="primary" id="run-button" disabled=${isRunning}>
          ${isRunning ? html`<span class="spinner" aria-hidden="true"></span>Running …` : action}
        </button>
      </div>
      ${note && html`<small>${note}</small>`}
    </form>
    <div class="stack" id="result" aria-live="polite" aria-busy=${isRunning}>
      ${isRunning && html`<${Live} state=${state} elapsedMs=${elapsedMs} />`}
      ${state.kind === "failed" && html`<${Failure} error=${state.error} />`}
      ${state.kind === "done" && html`<${Result} run=${state.run} />`}
    </div>
  </section>`;
}

function Live({ state, elapsedMs }) {
  const [error, setError] = useState(null);
  const box = useRef(null);
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [state.live]);
  const cancel = async () => {
    try {
      await call("POST", `invocations/${state.id}/cancel`);
    } catch (error) {
      setError(error.isUnknownRoute ? new Error("This server cannot cancel runs.") : error);
    }
  };
  return html`
    <div class="bar">
      <span class="quiet" aria-hidden="true">${ms(Math.round(elapsedMs / 100) * 100)}</span>
      ${state.id && html`<button type="button" id="cancel" onClick=${cancel}>Cancel the run</button>`}
    </div>
    ${error && html`<${Failure} error=${error} />`}
    ${state.live && html`<section class="block" aria-label="Live output"><h3>Live output</h3><pre id="live" class="live" ref=${box} tabindex="0">${state.live}</pre></section>`}
  `;
}
