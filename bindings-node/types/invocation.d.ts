/** One execution of a function: what it is asked for, how it ends, and what it writes meanwhile. */
import type { NativeCancel, NativeInvocation, NativeOutcome, NativePlatform, NativeRequest } from '../native.js';
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
export type TestOptions = Pick<ExecuteOptions, 'event' | 'args' | 'signal' | 'traceId' | 'traceparent'>;
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
export declare const INVOKE_FIELDS: readonly ["qualifier", "runtime", "timeoutMs", "signal", "traceId", "traceparent"];
export declare const TEST_FIELDS: readonly ["event", "args", "signal", "traceId", "traceparent"];
export declare const MAP_FIELDS: readonly ["qualifier", "runtime", "timeoutMs", "signal", "traceId", "traceparent", "concurrency", "progress", "returnErrors"];
export declare const EXECUTE_FIELDS: readonly ["qualifier", "runtime", "timeoutMs", "signal", "traceId", "traceparent", "event", "args"];
export declare function outcomeOf<T>(from: NativeOutcome): Outcome<T>;
export declare function requestOf(name: string, options: ExecuteOptions, what: string): NativeRequest;
/** What is run is called with: an event as JSON, or args. */
export declare function payloadOf({ event, args }: ExecuteOptions, what: string): {
    event: string | undefined;
    args: string[] | undefined;
};
/** Runs to the end. Rejects with the signal's reason once that is aborted and the run is dead. */
export declare function run<T>(platform: NativePlatform, request: NativeRequest, signal: AbortSignal | undefined): Promise<Outcome<T>>;
/** Starts a run that `signal` kills, and waits for its end. */
export declare function withSignal<T>(signal: AbortSignal | undefined, start: (cancel?: NativeCancel) => Promise<NativeOutcome | null | undefined>): Promise<Outcome<T>>;
/** The result of a run, or the error that its function failed with. */
export declare function resultOf<T>(outcome: Outcome<T>): T;
/** An invocation under way. It runs on if nobody waits for it. */
export declare class Invocation<T = unknown> {
    #private;
    readonly requestId: string;
    /** @internal */
    constructor(invocation: NativeInvocation);
    /** Waits for the end. */
    outcome(): Promise<Outcome<T>>;
    /** Waits for the end, and throws a `FunctionError` if the function failed. */
    result(): Promise<T>;
    /** Kills the run and its sandbox. The outcome's status is then `cancelled`. */
    cancel(): void;
    /** What the function writes, live, from the first byte to the end. To be read once. */
    logs(): AsyncGenerator<LogChunk, void, undefined>;
}
