// The API, with the token where there is one.

import { readEvents } from "./events.js";
import { token } from "./token.js";

/** What went wrong, in the server's words. `status` is 0 where no server answered. */
export class ApiError extends Error {
  constructor(status, { code, message, hint }) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }

  /** Whether this server has no such route (an older one, or one with fewer parts). */
  get isUnknownRoute() {
    return this.status === 405 || (this.status === 404 && this.code !== "ResourceNotFoundException");
  }
}

/**
 * Sends a request. `body` is JSON text. Addresses are relative, so that the page works wherever it
 * is mounted. Throws an ApiError unless the answer is a success.
 */
async function send(method, path, { body, bearer = token.get(), signal, accept } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (accept) headers.Accept = accept;
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal, cache: "no-store" });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new ApiError(0, {
      code: "Unreachable",
      message: "The server does not answer.",
      hint: "Check that it still runs, then try again.",
    });
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response) {
  let error = { code: "Unknown", message: `The server answered ${response.status}.` };
  try {
    error = (await response.json()).error ?? error;
  } catch {
    // Not ours: a proxy's page, most likely.
  }
  return new ApiError(response.status, error);
}

/** Calls the API and answers with the parsed body (null for an empty one). */
export async function call(method, path, options) {
  const text = await (await send(method, path, options)).text();
  return text === "" ? null : JSON.parse(text);
}

/** A page of a list, and the cursor of the next one, or null. */
export async function listPage(path, { signal, limit = 1000, cursor = null } = {}) {
  const parameters = new URLSearchParams({ limit });
  if (cursor !== null) parameters.set("cursor", cursor);
  const response = await send("GET", `${path}?${parameters}`, { signal });
  // Only the cursor of the address is ours to follow: the rest depends on where the page is mounted.
  const next = /<[^>]*[?&]cursor=([^>&]*)[^>]*>; *rel="next"/.exec(response.headers.get("Link") ?? "");
  return { items: await response.json(), next: next && decodeURIComponent(next[1]) };
}

/** Reads a list page by page, up to `most` items. */
export async function listAll(path, { signal, most = 10_000 } = {}) {
  const all = [];
  let cursor = null;
  do {
    const { items, next } = await listPage(path, { signal, cursor });
    all.push(...items);
    cursor = next;
  } while (cursor !== null && all.length < most);
  return all;
}

/** A file's bytes. */
export async function readBytes(path, { signal } = {}) {
  return new Uint8Array(await (await send("GET", path, { signal })).arrayBuffer());
}

/** A file, as the browser keeps it. */
export async function download(path, name) {
  const blob = await (await send("GET", path)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Runs a function and tells of what it writes while it writes it: `onStart({request_id, ...})`,
 * `onLog({stream, text})`. Answers with the result, as without a stream; a server that does not
 * stream answers at the end only.
 */
export async function run(path, body, { signal, onStart, onLog }) {
  const response = await send("POST", path, { body, signal, accept: "text/event-stream, application/json" });
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) return response.json();
  for await (const { event, data } of readEvents(response.body)) {
    const value = JSON.parse(data);
    if (event === "start") onStart(value);
    else if (event === "log") onLog(value);
    else if (event === "result") return value;
    else if (event === "error") throw new ApiError(500, value.error ?? value);
  }
  throw new ApiError(0, {
    code: "Interrupted",
    message: "The connection ended before the result came.",
    hint: "The run goes on; its record appears under Invocations.",
  });
}

/** Follows a stream of events with the token; ends when the server ends it. */
export async function follow(path, { signal, onEvent }) {
  const response = await send("GET", path, { signal, accept: "text/event-stream" });
  for await (const { event, data } of readEvents(response.body)) onEvent(event, JSON.parse(data));
}
