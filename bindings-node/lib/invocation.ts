/** One execution of a function: what it is asked for, how it ends, and what it writes meanwhile. */

import { StringDecoder } from 'node:string_decoder';

import type {
  NativeCancel,
  NativeInvocation,
  NativeOutcome,
  NativePlatform,
  NativeRequest,
} from '../native.js';
import { checkFields, convert, FunctionError, invalid } from './errors.js';
import { native } from './native.js';

/** How a function is invoked. */
export interface InvokeOptions {
  /** A version's number, or the name of an alias (default: the current version). */
  qualifier?: string | number;
  /** A stronger sandbox than the function's own: `gvisor` instead of `docker`. */
  runtime?: string;
  /** A shorter timeout than the function's own. */
  timeoutMs?: number;
  /** Kills the run, and its sandbox, once it is aborted. */
  signal?: AbortSignal;
  /** `X-Amzn-Trace-Id`, handed to the function. */
  traceId?: string;
  /** W3C's `traceparent`. The function gets its trace, with the invocation as the parent span. */
  traceparent?: string;
}

/** How a function is executed: a handler with an event, or a script with args. */
export interface ExecuteOptions extends InvokeOptions {
  /** What a handler is called with: anything that is JSON (default `{}`). */
  event?: unknown;
  /** Command-line args of a script. */
  args?: readonly string[];
}

/** How code that is not deployed is run. Its runtime and timeout are the function's. */
export type TestOptions = Pick<
  ExecuteOptions,
  'event' | 'args' | 'signal' | 'traceId' | 'traceparent'
>;

/** How many invocations are made of many events. */
export interface MapOptions extends InvokeOptions {
  /** Most invocations at once (default 16). */
  concurrency?: number;
  /** Called with the number of those that have ended, whenever one does. */
  progress?: (finished: number) => void;
  /** Whether a failure is yielded in its place instead of being thrown (default false). */
  returnErrors?: boolean;
}

/** How an invocation ended. A failure of the function is an outcome, not an error. */
export interface Outcome<T = unknown> extends Omit<NativeOutcome, 'output'> {
  /** A handler's result, or a script's stdout less one final newline. */
  output: T | undefined;
}

/** A piece of what a function writes. */
export interface LogChunk {
  stream: 'stdout' | 'stderr';
  text: string;
}

const CALL_FIELDS = ['signal', 'traceId', 'traceparent'] as const;
export const INVOKE_FIELDS = ['qualifier', 'runtime', 'timeoutMs', ...CALL_FIELDS] as const;
export const TEST_FIELDS = ['event', 'args', ...CALL_FIELDS] as const;
export const MAP_FIELDS = [...INVOKE_FIELDS, 'concurrency', 'progress', 'returnErrors'] as const;
export const EXECUTE_FIELDS = [...INVOKE_FIELDS, 'event', 'args'] as const;

export function outcomeOf<T>(from: NativeOutcome): Outcome<T> {
  const { output } = from;
  const outcome = from as unknown as Outcome<T>;
  outcome.output = output === undefined ? undefined : (JSON.parse(output) as T);
  return outcome;
}

export function requestOf(name: string, options: ExecuteOptions, what: string): NativeRequest {
  checkFields(what, options, EXECUTE_FIELDS);
  if (typeof name !== 'string') throw invalid(what, 'A function is named by its name or its id.');
  const { qualifier, timeoutMs } = options;
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && timeoutMs >= 1)) {
    throw invalid(what, '`timeoutMs` is a whole number of milliseconds, at least 1.');
  }
  return {
    function: name,
    ...payloadOf(options, what),
    qualifier: qualifier === undefined ? undefined : String(qualifier),
    runtime: options.runtime,
    timeoutMs,
    traceId: options.traceId,
    traceparent: options.traceparent,
  };
}

/** What is run is called with: an event as JSON, or args. */
export function payloadOf(
  { event, args }: ExecuteOptions,
  what: string,
): { event: string | undefined; args: string[] | undefined } {
  if (args !== undefined && !(Array.isArray(args) && args.every((arg) => typeof arg === 'string'))) {
    throw invalid(what, '`args` is an array of strings.', 'Write numbers as strings, or use an event.');
  }
  return {
    event: event === undefined ? undefined : json(event, what),
    args: args as string[] | undefined,
  };
}

function json(event: unknown, what: string): string {
  const text = JSON.stringify(event) as string | undefined;
  if (text === undefined) {
    throw invalid(what, `An event is a value that JSON has; this is a ${typeof event}.`);
  }
  return text;
}

/** Runs to the end. Rejects with the signal's reason once that is aborted and the run is dead. */
export function run<T>(
  platform: NativePlatform,
  request: NativeRequest,
  signal: AbortSignal | undefined,
): Promise<Outcome<T>> {
  return withSignal<T>(signal, (cancel) => platform.execute(request, cancel));
}

/** Starts a run that `signal` kills, and waits for its end. */
export async function withSignal<T>(
  signal: AbortSignal | undefined,
  start: (cancel?: NativeCancel) => Promise<NativeOutcome | null | undefined>,
): Promise<Outcome<T>> {
  if (signal === undefined) {
    return outcomeOf<T>((await convert(start())) as NativeOutcome);
  }
  signal.throwIfAborted();
  const cancel: NativeCancel = new (native().NativeCancel)();
  const abort = (): void => cancel.cancel();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const outcome = await convert(start(cancel));
    if (!outcome || outcome.status === 'cancelled') signal.throwIfAborted();
    return outcomeOf<T>(outcome as NativeOutcome);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The result of a run, or the error that its function failed with. */
export function resultOf<T>(outcome: Outcome<T>): T {
  if (outcome.status !== 'success') throw new FunctionError(outcome);
  return outcome.output as T;
}

/** An invocation under way. It runs on if nobody waits for it. */
export class Invocation<T = unknown> {
  readonly requestId: string;
  readonly #native: NativeInvocation;
  #outcome: Promise<Outcome<T>> | undefined;
  #isRead = false;

  /** @internal */
  constructor(invocation: NativeInvocation) {
    this.#native = invocation;
    this.requestId = invocation.requestId;
  }

  /** Waits for the end. */
  outcome(): Promise<Outcome<T>> {
    this.#outcome ??= convert(this.#native.outcome()).then((outcome) => outcomeOf<T>(outcome));
    return this.#outcome;
  }

  /** Waits for the end, and throws a `FunctionError` if the function failed. */
  async result(): Promise<T> {
    return resultOf(await this.outcome());
  }

  /** Kills the run and its sandbox. The outcome's status is then `cancelled`. */
  cancel(): void {
    this.#native.cancel();
  }

  /** What the function writes, live, from the first byte to the end. To be read once. */
  async *logs(): AsyncGenerator<LogChunk, void, undefined> {
    if (this.#isRead) throw invalid('logs', 'The logs of this invocation are being read already.');
    this.#isRead = true;
    // A piece may end inside of a character.
    const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
    for (;;) {
      const chunk = await convert(this.#native.nextLog());
      if (chunk === null) break;
      const stream = chunk.stream as LogChunk['stream'];
      const text = decoders[stream].write(chunk.bytes);
      if (text !== '') yield { stream, text };
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const text = decoders[stream].end();
      if (text !== '') yield { stream, text };
    }
  }
}
