// The token of this tab: kept as long as the tab, and told to whoever listens.

import { useEffect, useState } from "./html.js";

const KEY = "lambda-token";
const listeners = new Set();

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set(value) {
    sessionStorage.setItem(KEY, value);
    for (const listener of listeners) listener();
  },
  forget() {
    sessionStorage.removeItem(KEY);
    for (const listener of listeners) listener();
  },
};

/** The token, or null; a component that uses it is drawn anew when it changes. */
export function useToken() {
  const [value, setValue] = useState(token.get());
  useEffect(() => {
    const listener = () => setValue(token.get());
    listener();
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return value;
}
