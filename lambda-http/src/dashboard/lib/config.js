// A function's configuration as a form holds it: text, until it is sent.

export const DEFAULTS = {
  description: "",
  runtime: "docker",
  timeout_ms: "3000",
  memory_mib: "128",
  cpus: "1",
  tmp_mib: "",
  concurrency: "",
  image: "",
  network: "none",
  fresh_process: false,
  env: [],
};

const NUMBERS = ["timeout_ms", "memory_mib", "cpus", "tmp_mib", "concurrency"];
const NULLABLE = ["tmp_mib", "concurrency", "image"];

/** The form for a function as the API shows it. */
export function fromFunction(fn) {
  const config = {};
  for (const name of Object.keys(DEFAULTS)) {
    const value = fn[name];
    if (name === "env") config.env = Object.entries(value ?? {});
    else if (name === "fresh_process") config[name] = value;
    else config[name] = value == null ? "" : String(value);
  }
  return config;
}

/** What to send: only what differs from `old`, so that defaults stay defaults. */
export function changes(config, old = DEFAULTS) {
  const body = {};
  for (const [name, value] of Object.entries(config)) {
    if (JSON.stringify(value) === JSON.stringify(old[name])) continue;
    if (name === "env") body.env = envOf(value);
    else if (NUMBERS.includes(name)) body[name] = value === "" && NULLABLE.includes(name) ? null : Number(value);
    else body[name] = value === "" && NULLABLE.includes(name) ? null : value;
  }
  return body;
}

function envOf(rows) {
  const env = {};
  for (const [name, value] of rows) {
    if (name === "" && value === "") continue;
    if (name === "") throw new Error("A variable has a value and no name.");
    if (Object.hasOwn(env, name)) throw new Error(`The variable ${name} is there twice.`);
    Object.defineProperty(env, name, { value, enumerable: true });
  }
  return env;
}
