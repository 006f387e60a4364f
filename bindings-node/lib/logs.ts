/** Logs that are followed: of one invocation, of one function, of all. */

import type { NativeLogEvent, NativeLogs } from '../native.js';
import { convert } from './errors.js';

interface Output {
  kind: 'output';
  stream: 'stdout' | 'stderr';
  /** It may end inside of a line, never of a character. */
  text: string;
}

/** Lines came faster than they were read. */
interface Skipped {
  kind: 'skipped';
  /** How many, where that is known. */
  lines?: number;
}

interface End {
  kind: 'end';
  /** How the invocation ended, or `not_run`. */
  status: string;
}

/** Something that one invocation, which is followed, did. `position` is where to go on after it. */
export type LogItem = (Output & { position: string }) | Skipped | End;

interface Happened {
  /** What `after` takes, to go on after it. */
  id: string;
  /** When the platform read it. */
  seenAt: Date;
  requestId: string;
  functionId: string;
  functionName: string;
}

/** Something that one of many invocations did. */
export type LogEvent = (Output & Happened) | Skipped | (End & Happened);

/** Where following begins. */
export interface FollowOptions {
  /** The id of the last event that was read (default: what is written from now on). */
  after?: string;
}

/**
 * What is followed: to be iterated by one at a time. It ends with the invocation, when the platform
 * is closed, or by leaving the loop.
 */
export class Logs<T extends LogItem | LogEvent> implements AsyncIterableIterator<T> {
  readonly #native: NativeLogs;

  /** @internal */
  constructor(logs: NativeLogs) {
    this.#native = logs;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const event = await convert(this.#native.next());
    return event === null ? { done: true, value: undefined } : { done: false, value: eventOf(event) as T };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  /** Ends it, also for whoever waits for the next event. */
  close(): void {
    this.#native.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function eventOf(from: NativeLogEvent): unknown {
  return from.seenAt === undefined ? from : { ...from, seenAt: new Date(from.seenAt) };
}
