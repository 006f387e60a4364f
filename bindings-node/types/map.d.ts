/** Many events through a few invocations at a time. */
/**
 * Yields the result of each item, in the items' order. At most `concurrency` calls are under way;
 * the next item is taken only when there is room, so an endless source is read as fast as it is
 * used. When a call fails, or the consumer stops, `stop` ends what is under way.
 */
export declare function mapBounded<I, O>(items: Iterable<I> | AsyncIterable<I>, concurrency: number, call: (item: I) => Promise<O>, stop: () => void): AsyncGenerator<Awaited<O>, void, undefined>;
