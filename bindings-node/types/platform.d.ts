/** The platform: what applications hold. */
import type { AliasInfo, CheckFinding, FunctionCode, FunctionInfo as NativeFunctionInfo, FunctionSpec, InvocationFigures, InvocationInfo as NativeInvocationInfo, NativeToken, PlatformOptions, PoolState, ReadinessState, RecorderState as NativeRecorderState, TroubleState } from '../native.js';
import { LambdaError } from './errors.js';
import { type ExecuteOptions, Invocation, type InvokeOptions, type MapOptions, type Outcome, type TestOptions } from './invocation.js';
import { type FollowOptions, Logs, type LogEvent, type LogItem } from './logs.js';
/** A function at one of its versions. */
export interface FunctionInfo extends Omit<NativeFunctionInfo, 'createdAt' | 'updatedAt'> {
    createdAt: Date;
    updatedAt: Date;
}
/** What is recorded of an invocation. */
export interface InvocationInfo extends Omit<NativeInvocationInfo, 'startedAt'> {
    startedAt: Date;
}
/** An access token for a server on the same store, without its secret. */
export interface Token extends Omit<NativeToken, 'createdAt'> {
    createdAt: Date;
}
/** What works at the moment. */
export interface Readiness extends Omit<ReadinessState, 'runtimes'> {
    /** Which runtimes can create sandboxes, as far as a quick look tells. */
    runtimes: Record<string, boolean>;
}
/** Something that does not work for the time being. */
export interface Trouble extends Omit<TroubleState, 'since'> {
    since: Date;
}
type RecorderTimes = 'oldestPendingAt' | 'sheddingSince' | 'store' | 'disk';
/** How records of invocations stand on their way into the store. Counts are since the start. */
export interface RecorderStatus extends Omit<NativeRecorderState, RecorderTimes> {
    /** When the invocation ended whose record has waited longest. */
    oldestPendingAt?: Date;
    /** Since when every new record is lost. */
    sheddingSince?: Date;
    /** What keeps the store from taking records. */
    store?: Trouble;
    /** What keeps the disk from syncing the journal. */
    disk?: Trouble;
}
/** One page of a listing, newest first. */
export interface Page<T> {
    items: T[];
    /** Where the next page starts; absent on the last one. */
    next?: string;
}
/** Which page of a listing. */
export interface PageOptions {
    /** 1 to 1000 (default 50). */
    limit?: number;
    /** `next` of the page before. */
    cursor?: string;
}
/** A change of a function. `null` gives a field its default back. */
export type FunctionChange = Omit<FunctionSpec, 'handler' | 'tmpMib' | 'concurrency' | 'image'> & {
    handler?: string | null;
    tmpMib?: number | null;
    concurrency?: number | null;
    image?: string | null;
};
/** Which invocations are summed up. */
export interface SummaryFilter {
    /** A function's name or id. */
    function?: string;
    from?: Date;
    to?: Date;
    runtime?: string;
    /** How long each point of `series` is. */
    bucket?: 'minute' | 'hour' | 'day';
}
/** Which invocations are listed. */
export interface InvocationFilter extends PageOptions, Omit<SummaryFilter, 'bucket'> {
    status?: string | readonly string[];
}
/** How a live function is deployed. */
export type DeployFunctionOptions = Omit<FunctionSpec, 'code' | 'zip' | 'path' | 'handler' | 'language'>;
/** A live function, deployed: calling it runs it in a sandbox. */
export interface DeployedFunction<E, R> {
    (event?: E, options?: InvokeOptions): Promise<R>;
    /** What was deployed. */
    readonly info: FunctionInfo;
    /** See `Platform.map`. */
    map(events: Iterable<E> | AsyncIterable<E>, options: MapOptions & {
        returnErrors: true;
    }): AsyncGenerator<R | LambdaError, void, undefined>;
    map(events: Iterable<E> | AsyncIterable<E>, options?: MapOptions): AsyncGenerator<R, void, undefined>;
}
/**
 * Deploys functions and runs them in sandboxes.
 *
 * An open platform lets the process end when nothing is awaited; call `close`, or open it with
 * `await using`, so that its sandboxes are removed before. What a process left behind, the next
 * one on the same data directory removes.
 */
export declare class Platform {
    #private;
    private constructor();
    /** Opens the store and starts a platform. Several may be open at once. */
    static open(options: PlatformOptions): Promise<Platform>;
    /** Creates a function, or appends a version to the one that has its name. */
    deploy(spec: FunctionSpec): Promise<FunctionInfo>;
    /** Creates a function; a `ConflictError` if its name is taken. */
    functionCreate(spec: FunctionSpec): Promise<FunctionInfo>;
    /**
     * Deploys a live function by its source. Its name is the function's own unless `name` is given.
     * Functions that need something from around them are refused, and so are native ones.
     */
    deployFunction<E = unknown, R = unknown>(fn: (event: E, context: never) => R, options?: DeployFunctionOptions): Promise<DeployedFunction<E, Awaited<R>>>;
    /** Changes a function: appends a version. Fields that are left out keep their value. */
    functionUpdate(name: string, change: FunctionChange): Promise<FunctionInfo>;
    /** A function at its current version, or at another one. */
    functionGet(name: string, qualifier?: string | number): Promise<FunctionInfo>;
    /** The code of a function, as it was deployed. */
    functionCode(name: string, qualifier?: string | number): Promise<FunctionCode>;
    /** One page of functions. */
    functionList(options?: PageOptions): Promise<Page<FunctionInfo>>;
    /** All functions, newest first, fetched page by page. */
    functions(options?: PageOptions): AsyncGenerator<FunctionInfo, void, undefined>;
    /** Deletes a function and frees its name. */
    functionDelete(name: string): Promise<void>;
    /** One page of a function's versions. */
    versionList(name: string, options?: PageOptions): Promise<Page<FunctionInfo>>;
    /** Makes another version the current one. */
    rollback(name: string, version: number, options?: {
        expectedRevision?: string;
    }): Promise<FunctionInfo>;
    /** Points an alias at a version, and gives the function at it. */
    aliasSet(name: string, alias: string, version: number, options?: {
        expectedRevision?: string;
    }): Promise<FunctionInfo>;
    /** The aliases of a function, `current` among them. */
    aliasList(name: string): Promise<AliasInfo[]>;
    /** Deletes an alias, not its version. */
    aliasDelete(name: string, alias: string): Promise<void>;
    /** Calls a handler and gives its result; a `FunctionError` if the function failed. */
    invoke<R = unknown>(name: string, event?: unknown, options?: InvokeOptions): Promise<R>;
    /** Runs a script or a handler and gives the whole outcome, also where the function failed. */
    execute<R = unknown>(name: string, options?: ExecuteOptions): Promise<Outcome<R>>;
    /** Starts a run and gives it to hold: its logs while it runs, its outcome, a way to cancel it. */
    start<R = unknown>(name: string, options?: ExecuteOptions): Promise<Invocation<R>>;
    /**
     * Runs code that is not deployed, once, and gives the whole outcome. `name` is what the code sees
     * as its function's (default `test`); an archive has at most 4 MiB.
     */
    test<R = unknown>(spec: FunctionSpec, options?: TestOptions): Promise<Outcome<R>>;
    /** Starts code that is not deployed, and gives the run to hold; see `test`. */
    startTest<R = unknown>(spec: FunctionSpec, options?: TestOptions): Promise<Invocation<R>>;
    /** Kills an invocation of this platform that runs, or waits to run. */
    cancel(requestId: string): Promise<void>;
    /**
     * What one invocation writes, from its first byte or from `position` on, until its end. Of one
     * that has ended the last 4 KiB of each stream are kept, and for some seconds all.
     */
    followInvocation(requestId: string, options?: {
        position?: string;
    }): Promise<Logs<LogItem>>;
    /**
     * What all invocations of a function that run on this platform write, from now on, or after the
     * event whose id is `after`. Whoever reads too slowly loses the oldest lines.
     */
    followFunction(name: string, options?: FollowOptions): Promise<Logs<LogEvent>>;
    /** What all invocations on this platform write; see `followFunction`. */
    followAll(options?: FollowOptions): Logs<LogEvent>;
    /**
     * Calls a handler with each of many events and yields the results in the events' order, with at
     * most `concurrency` calls at once. The first failure is thrown at its place, and ends the
     * others, as leaving the loop does; with `returnErrors` it is yielded there.
     */
    map<E = unknown, R = unknown>(name: string, events: Iterable<E> | AsyncIterable<E>, options: MapOptions & {
        returnErrors: true;
    }): AsyncGenerator<R | LambdaError, void, undefined>;
    map<E = unknown, R = unknown>(name: string, events: Iterable<E> | AsyncIterable<E>, options?: MapOptions): AsyncGenerator<R, void, undefined>;
    /** One page of what has been run. A run is visible within a second. */
    invocationList(filter?: InvocationFilter): Promise<Page<InvocationInfo>>;
    /** All of what has been run, newest first, fetched page by page. */
    invocations(filter?: InvocationFilter): AsyncGenerator<InvocationInfo, void, undefined>;
    /** One invocation, with the end of what it wrote. */
    invocationGet(requestId: string): Promise<InvocationInfo>;
    /** Counts and durations over invocations. */
    invocationSummary(filter?: SummaryFilter): Promise<InvocationFigures>;
    /** Makes an access token for a server on the same store, and gives its secret, kept nowhere. */
    tokenCreate(name: string, scopes: readonly string[]): Promise<{
        token: Token;
        secret: string;
    }>;
    /** The token with this secret, if there is one. */
    tokenFind(secret: string): Promise<Token | null>;
    /** All tokens, oldest first. */
    tokenList(): Promise<Token[]>;
    /** Revokes a token, by its id. */
    tokenDelete(id: string): Promise<void>;
    /**
     * Looks at the store and at every runtime, at all of them at once. What has not answered after
     * `patienceMs` does not work.
     */
    readiness(patienceMs: number): Promise<Readiness>;
    /** How records stand on their way into the store; null where recording is off. */
    recorderStatus(): RecorderStatus | null;
    /** The names of the runtimes. */
    runtimes(): string[];
    /** This platform's sandboxes, in numbers. */
    poolStats(): PoolState | null;
    /**
     * Looks at the store and at every runtime, and says what to mend. `thorough` also starts
     * sandboxes and verifies that limits are enforced, which takes seconds.
     */
    check(options?: {
        thorough?: boolean;
    }): Promise<CheckFinding[]>;
    /** Waits for running invocations, at most `drainTimeoutMs`, and removes every sandbox. */
    close(): Promise<void>;
}
export interface Platform {
    /** `close`, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}
export {};
