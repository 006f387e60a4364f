// Data that a screen shows: read when it opens, again when asked, and every few seconds if wanted.

import { listPage } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";

/**
 * `read(signal)` is called anew whenever `key` changes. Only the latest answer counts. With `everyMs`
 * it is read again while the page is looked at; then old data stays until new data is there.
 */
export function useLoad(read, key, { everyMs = 0 } = {}) {
  const [state, setState] = useState({ key, data: null, error: null, at: null });
  const latest = useRef(null);
  latest.current = { read, key };
  const turn = useRef(null);

  const reload = useCallback(async () => {
    turn.current?.abort();
    const mine = new AbortController();
    turn.current = mine;
    const { read, key } = latest.current;
    try {
      const data = await read(mine.signal);
      if (turn.current === mine) setState({ key, data, error: null, at: new Date() });
    } catch (error) {
      if (turn.current !== mine || error.name === "AbortError") return;
      setState((old) => ({ key, data: old.key === key ? old.data : null, error, at: old.at }));
    }
  }, []);

  useEffect(() => {
    reload();
    return () => turn.current?.abort();
  }, [key]);

  useEffect(() => {
    if (everyMs === 0) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);

  const isCurrent = state.key === key;
  return {
    data: isCurrent ? state.data : null,
    error: isCurrent ? state.error : null,
    at: state.at,
    isLoading: !isCurrent || (state.data === null && state.error === null),
    reload,
  };
}

/**
 * A list that is read page by page, as far as it is asked for: `more()` reads the next one. `next` is
 * null once all is there.
 */
export function usePages(path, key, limit) {
  const first = useLoad((signal) => listPage(path, { signal, limit }), key);
  const [rest, setRest] = useState({ of: null, items: [], next: null, error: null });
  const isRead = first.data !== null && rest.of === first.data;
  const { items, next, error } = isRead ? rest : { items: [], next: first.data?.next ?? null, error: null };
  const reading = useRef(null);
  const more = async () => {
    const of = first.data;
    if (next === null || reading.current === of) return;
    reading.current = of;
    try {
      const page = await listPage(path, { limit, cursor: next });
      setRest({ of, items: [...items, ...page.items], next: page.next, error: null });
    } catch (error) {
      setRest({ of, items, next, error });
    } finally {
      reading.current = null;
    }
  };
  const all = first.data && [...first.data.items, ...items];
  return { ...first, data: all, error: first.error, next, more, moreError: error };
}
