// The API, with the token where there is one.

const KEY = "lambda-token";

/** What went wrong, in the server's words. */
export class ApiError extends Error {
  constructor(status, { code, message, hint }) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** The token of this tab; it goes with the tab. */
export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/**
 * Calls the API. `body` is JSON text. Answers with the parsed body, or throws an ApiError.
 * Addresses are relative, so that the page works wherever it is mounted.
 */
export async function call(method, path, { body, bearer = token.get(), signal } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
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
  const text = await response.text();
  if (response.ok) return text === "" ? null : JSON.parse(text);
  let error = { code: "Unknown", message: `The server answered ${response.status}.` };
  try {
    error = JSON.parse(text).error ?? error;
  } catch {
    // Not ours: a proxy's page, most likely.
  }
  throw new ApiError(response.status, error);
}
