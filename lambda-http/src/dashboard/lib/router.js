// Addresses behind the #, so that the page works wherever it is mounted.

import { useEffect, useState } from "./html.js";

/** `#/functions/hello?tab=code` as `{path: ["functions", "hello"], query: {tab: "code"}}`. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return {
    path: path.split("/").filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a place; empty values of the query are left out. */
export function to(path, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const suffix = kept.length === 0 ? "" : `?${new URLSearchParams(kept)}`;
  return `#/${path.map(encodeURIComponent).join("/")}${suffix}`;
}

export function go(path, query) {
  location.hash = to(path, query);
}

/** Changes the query alone, without a new entry in the browser's history. */
export function replaceQuery(query) {
  history.replaceState(null, "", to(parse(location.hash).path, query));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(parse(location.hash));
  useEffect(() => {
    const listener = () => setRoute(parse(location.hash));
    window.addEventListener("hashchange", listener);
    return () => window.removeEventListener("hashchange", listener);
  }, []);
  return route;
}
