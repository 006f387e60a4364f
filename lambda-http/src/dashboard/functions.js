// The list of functions.

import { call } from "./api.js";
import { failure, h } from "./dom.js";

const PAGE = 1000;

let buttons = new Map();
let selectedId = null;
let onSelect = () => {};

/** Reads the list anew and shows it in `box`. */
export async function loadFunctions(box, callbacks) {
  onSelect = callbacks.onSelect;
  box.setAttribute("aria-busy", "true");
  let functions = [];
  try {
    functions = await call("GET", `functions?limit=${PAGE}`);
    box.replaceChildren(functions.length === 0 ? empty() : list(functions));
  } catch (error) {
    if (error.status === 401) callbacks.onDenied();
    const again = h("button", { type: "button", onclick: () => loadFunctions(box, callbacks) }, "Try again");
    box.replaceChildren(failure(error), again);
  }
  box.setAttribute("aria-busy", "false");
  return functions;
}

/** Selects a function, as a click would. */
export function select(fn) {
  if (!fn) return;
  mark(fn.id);
  onSelect(fn);
}

function mark(id) {
  selectedId = id;
  for (const [other, button] of buttons) button.setAttribute("aria-pressed", String(other === id));
}

function empty() {
  return h("p", { class: "empty" }, "No functions yet. Create one here, or run ", h("code", {}, "lambda deploy hello.py"), ".");
}

function list(functions) {
  buttons = new Map();
  const items = functions.map((fn) => {
    const kind = fn.handler === null ? "script" : `handler ${fn.handler}`;
    const button = h(
      "button",
      { type: "button", "aria-pressed": String(fn.id === selectedId), onclick: () => select(fn) },
      h("span", { class: "name" }, fn.name),
      h("span", { class: "version" }, `version ${fn.version}`),
      h("span", { class: "detail" }, `${fn.language} · ${kind} · ${fn.runtime}`),
    );
    buttons.set(fn.id, button);
    return h("li", {}, button);
  });
  return h("ul", { class: "list" }, ...items);
}
