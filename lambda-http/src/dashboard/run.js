// One function: how to call it, and what came of it.

import { call } from "./api.js";
import { byId, facts, failure, h, ms } from "./dom.js";

/** Shows a function, or the invitation to select one. */
export function showRun(fn, callbacks) {
  const box = byId("run");
  if (!fn) {
    box.replaceChildren(
      h("h2", { id: "run-title" }, "Run"),
      h("p", { class: "quiet" }, "Select a function to run it."),
    );
    return;
  }
  const result = h("div", { class: "stack", "aria-live": "polite" });
  box.replaceChildren(
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "run-title", class: "heading" }, fn.name),
      h("button", { type: "button", class: "danger", onclick: () => remove(fn, result, callbacks) }, "Delete"),
    ),
    ...(fn.description ? [h("p", {}, fn.description)] : []),
    facts([
      ["Version", String(fn.version)],
      ["Language", fn.language],
      ["Handler", fn.handler ?? "none: a script"],
      ["Memory", `${fn.memory_mib} MiB`],
      ["Timeout", ms(fn.timeout_ms)],
    ]),
    form(fn, result, callbacks),
    result,
    code(fn),
  );
}

function form(fn, result, callbacks) {
  const isScript = fn.handler === null;
  const input = h("textarea", { id: "input", class: "code", rows: 3, spellcheck: "false", "aria-describedby": "input-hint" });
  if (!isScript) input.value = "{}";
  const button = h("button", { class: "primary" }, "Run");
  const submit = async () => {
    const gvisor = formElement.elements.runtime.value;
    button.disabled = true;
    button.textContent = "Running …";
    result.replaceChildren();
    try {
      const body = request(fn, input.value, gvisor);
      result.replaceChildren(...outcome(await call("POST", "functions/execute", { body })));
      callbacks.onRun();
    } catch (error) {
      result.replaceChildren(failure(error));
    } finally {
      button.disabled = false;
      button.textContent = "Run";
    }
  };
  const formElement = h(
    "form",
    {
      class: "stack",
      onsubmit: (event) => {
        event.preventDefault();
        if (!button.disabled) submit();
      },
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) formElement.requestSubmit();
      },
    },
    h(
      "div",
      {},
      h("label", { for: "input" }, isScript ? "Arguments" : "Event"),
      input,
      h("small", { id: "input-hint" }, isScript ? "One on each line. Ctrl+Enter runs." : "JSON. Ctrl+Enter runs."),
    ),
    h("div", { class: "bar" }, runtimes(fn), button),
  );
  return formElement;
}

function runtimes(fn) {
  const choice = (label, value, checked, disabled) =>
    h("label", {}, h("input", { type: "radio", name: "runtime", value, checked, disabled }), label);
  const choices = [
    choice("Docker", "docker", fn.runtime === "docker", fn.runtime === "gvisor"),
    choice("gVisor", "gvisor", fn.runtime === "gvisor", false),
  ];
  if (fn.runtime !== "docker" && fn.runtime !== "gvisor") choices.unshift(choice(fn.runtime, "", true, false));
  return h("fieldset", {}, h("legend", {}, "Run in"), ...choices);
}

/** The event goes out as it was typed: reading and printing it would round its numbers. */
function request(fn, text, runtime) {
  const fields = [`"id":${JSON.stringify(fn.id)}`];
  if (runtime !== "") fields.push(`"use_gvisor":${runtime === "gvisor"}`);
  if (fn.handler === null) {
    const args = text === "" ? [] : text.replace(/\n$/, "").split("\n");
    fields.push(`"args":${JSON.stringify(args)}`);
  } else {
    try {
      JSON.parse(text);
    } catch (cause) {
      throw Object.assign(new Error("The event is not JSON."), { hint: cause.message });
    }
    fields.push(`"event":${text}`);
  }
  return `{${fields.join(",")}}`;
}

function outcome(run) {
  const block = (title, text, className = "") =>
    text ? h("div", {}, h("h3", {}, title), h("pre", { class: className, tabindex: "0" }, text)) : null;
  const note = (truncated) => (truncated ? "\n… more was written than is kept" : "");
  const output = typeof run.output === "string" ? run.output : JSON.stringify(run.output, null, 2);
  const isRepeated = run.stdout === output || run.stdout === `${output}\n`;
  const error = run.error && [`${run.error.type}: ${run.error.message}`, ...run.error.trace].join("\n");
  const kill = run.termination === "pending" ? "the sandbox's death is not yet confirmed" : null;
  return [
    h(
      "div",
      { class: "bar" },
      h("span", { class: `badge ${run.status}` }, run.status.replaceAll("_", " ")),
      h("span", { class: "quiet" }, [`${run.start} start in ${run.runtime}`, kill].filter(Boolean).join("; ")),
    ),
    facts(
      [
        ["Total", ms(run.total_ms)],
        ["Queue", ms(run.queue_ms)],
        ["Boot", ms(run.boot_ms)],
        ["Init", ms(run.init_ms)],
        ["Run", ms(run.run_ms)],
        run.exit_code === null ? null : ["Exit code", String(run.exit_code)],
        run.max_memory_mib === null ? null : ["Memory peak", `${run.max_memory_mib} MiB`],
      ].filter(Boolean),
    ),
    block("Error", error, "bad"),
    run.status === "success" ? block("Output", output) : null,
    isRepeated && run.status === "success" && !run.stdout_truncated
      ? null
      : block("stdout", run.stdout + note(run.stdout_truncated)),
    block("stderr", run.stderr + note(run.stderr_truncated)),
  ].filter((part) => part !== null);
}

/** The code, read only when somebody wants to see it. */
function code(fn) {
  if (fn.code_format !== "inline") return h("p", { class: "quiet" }, `Code: zip, ${fn.code_size_bytes} bytes`);
  const view = h("details", {}, h("summary", {}, "Code"));
  view.addEventListener("toggle", async () => {
    if (!view.open || view.childElementCount > 1) return;
    try {
      const full = await call("GET", `functions/${fn.id}`);
      view.append(h("pre", { tabindex: "0" }, full.code ?? ""));
    } catch (error) {
      view.append(failure(error));
    }
  });
  return view;
}

async function remove(fn, result, callbacks) {
  if (!confirm(`Delete ${fn.name} with all its versions?`)) return;
  try {
    await call("DELETE", `functions/${fn.id}`);
    callbacks.onDeleted();
  } catch (error) {
    result.replaceChildren(failure(error));
  }
}
