// The form for a new function.

import { call } from "./api.js";
import { byId, failure } from "./dom.js";

const STARTERS = {
  "python script": `import sys

name = sys.argv[1] if len(sys.argv) > 1 else "world"
print(f"Hello, {name}!")
`,
  "python handler": `def handler(event, context):
    return {"message": f"Hello, {event.get('name', 'world')}!"}
`,
  "javascript script": `const name = process.argv[2] ?? "world";
console.log(\`Hello, \${name}!\`);
`,
  "javascript handler": `export const handler = async (event) => ({
  message: \`Hello, \${event.name ?? "world"}!\`,
});
`,
};

let onCreated = () => {};

/** Opens the form. */
export function openCreate(callbacks) {
  onCreated = callbacks.onCreated;
  byId("create-message").replaceChildren();
  suggestCode();
  byId("create").showModal();
  byId("create-name").focus();
}

/** Shows the code to start from, unless somebody has written some. */
function suggestCode() {
  const code = byId("create-code");
  const isUntouched = code.value === "" || Object.values(STARTERS).includes(code.value);
  const kind = byId("create-handler").value.trim() === "" ? "script" : "handler";
  if (isUntouched) code.value = STARTERS[`${byId("create-language").value} ${kind}`];
}

async function save() {
  const button = byId("create-save");
  const handler = byId("create-handler").value.trim();
  const body = JSON.stringify({
    name: byId("create-name").value,
    language: byId("create-language").value,
    handler: handler === "" ? null : handler,
    runtime: byId("create-runtime").value,
    code: byId("create-code").value,
  });
  button.disabled = true;
  try {
    const created = await call("POST", "functions", { body });
    byId("create").close();
    byId("create-form").reset();
    onCreated(created);
  } catch (error) {
    byId("create-message").replaceChildren(failure(error));
  } finally {
    button.disabled = false;
  }
}

byId("create-form").addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
byId("create-cancel").addEventListener("click", () => byId("create").close());
byId("create-language").addEventListener("change", suggestCode);
byId("create-handler").addEventListener("input", suggestCode);
