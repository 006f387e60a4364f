// Shows openapi.json. Text is set as text only, never as markup.

const place = document.getElementById("operations");
const state = document.getElementById("state");

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/// A schema with what it refers to in its place, as far as that is not in itself.
function resolved(schema, api, seen = []) {
  if (Array.isArray(schema)) return schema.map((item) => resolved(item, api, seen));
  if (schema === null || typeof schema !== "object") return schema;
  const reference = schema.$ref;
  if (reference) {
    if (seen.includes(reference)) return { type: reference.split("/").pop() };
    const steps = reference.slice(2).split("/");
    const target = steps.reduce((value, step) => value?.[step], api);
    return resolved(target, api, [...seen, reference]);
  }
  const entries = Object.entries(schema).map(([key, value]) => [key, resolved(value, api, seen)]);
  return Object.fromEntries(entries);
}

function contents(content, api) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
    element("p", {}, element("code", {}, type)),
    element("pre", { tabindex: "0" }, JSON.stringify(resolved(schema, api), null, 2)),
  ]);
}

function parameters(list) {
  if (list.length === 0) return null;
  const rows = list.map((parameter) =>
    element("tr", {},
      element("td", {}, element("code", {}, parameter.name)),
      element("td", { class: "quiet" }, parameter.in),
      element("td", {}, parameter.description ?? "")));
  const head = element("tr", {}, ...["Parameter", "In", ""].map((text) => element("th", {}, text)));
  return element("table", {}, head, ...rows);
}

function access(security) {
  if (security.length === 0) return "No token is needed.";
  const scopes = security[0].token.join(" and ");
  const local = security.length > 1 ? ", unless the request comes from the server's own machine" : "";
  return `A token with the scope ${scopes} is needed${local}.`;
}

function responses(all, api) {
  return Object.entries(all).map(([status, response]) => {
    const told = resolved(response, api);
    return element("details", {},
      element("summary", {}, element("code", {}, status), ` ${told.description}`),
      element("div", {}, ...contents(told.content, api)));
  });
}

function operation(path, method, described, api) {
  const body = described.requestBody;
  const made = element("details", { "data-words": `${method} ${path} ${described.summary}`.toLowerCase() },
    element("summary", {},
      element("code", { class: "method" }, method.toUpperCase()),
      element("code", {}, path), " ",
      element("span", { class: "quiet" }, described.summary)),
    element("div", {},
      element("p", { class: "quiet" }, access(described.security)),
      parameters(described.parameters),
      body ? element("h3", {}, body.required ? "Body" : "Body, if any") : null,
      ...(body ? contents(body.content, api) : []),
      element("h3", {}, "Answers"),
      ...responses(described.responses, api)));
  made.id = described.operationId;
  return made;
}

function show(api) {
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const tag = described.tags[0];
      if (!groups.has(tag)) groups.set(tag, element("section", {}, element("h2", {}, tag)));
      groups.get(tag).append(operation(path, method, described, api));
    }
  }
  place.replaceChildren(...groups.values());
}

function find(event) {
  const word = event.target.value.trim().toLowerCase();
  for (const made of place.querySelectorAll("[data-words]")) {
    made.hidden = !made.dataset.words.includes(word);
  }
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  show(await answer.json());
  document.getElementById("find").addEventListener("input", find);
} catch (error) {
  state.textContent = `openapi.json could not be read: ${error.message}.`;
}
