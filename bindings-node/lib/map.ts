/** Many events through a few invocations at a time. */

/**
 * Yields the result of each item, in the items' order. At most `concurrency` calls are under way;
 * the next item is taken only when there is room, so an endless source is read as fast as it is
 * used. When a call fails, or the consumer stops, `stop` ends what is under way.
 */
export async function* mapBounded<I, O>(
  items: Iterable<I> | AsyncIterable<I>,
  concurrency: number,
  call: (item: I) => Promise<O>,
  stop: () => void,
): AsyncGenerator<Awaited<O>, void, undefined> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const running: Promise<O>[] = [];
  let isDrained = false;
  let isWhole = false;
  try {
    for (;;) {
      while (!isDrained && running.length < concurrency) {
        const next = await source.next();
        if (next.done) {
          isDrained = true;
          break;
        }
        const promise = call(next.value);
        // It is looked at when its turn comes; until then it must not count as unhandled.
        promise.catch(() => {});
        running.push(promise);
      }
      const first = running.shift();
      if (first === undefined) break;
      yield await first;
    }
    isWhole = true;
  } finally {
    if (!isWhole) {
      stop();
      await Promise.allSettled(running);
      if (!isDrained) await source.return?.();
    }
  }
}
