/** The platform: what applications hold. */

import type {
  AliasInfo,
  CheckFinding,
  FunctionCode,
  FunctionInfo as NativeFunctionInfo,
  FunctionSpec,
  InvocationFigures,
  InvocationInfo as NativeInvocationInfo,
  NativeFilter,
  NativeInvocation,
  NativePlatform,
  NativeToken,
  PlatformOptions,
  PoolState,
  ReadinessState,
  RecorderState as NativeRecorderState,
  TroubleState,
} from '../native.js';
import { checkFields, convert, convertNow, invalid, LambdaError } from './errors.js';
import {
  type ExecuteOptions,
  INVOKE_FIELDS,
  Invocation,
  type InvokeOptions,
  MAP_FIELDS,
  type MapOptions,
  type Outcome,
  payloadOf,
  requestOf,
  resultOf,
  run,
  type TestOptions,
  TEST_FIELDS,
  withSignal,
} from './invocation.js';
import { type FollowOptions, Logs, type LogEvent, type LogItem } from './logs.js';
import { mapBounded } from './map.js';
import { native } from './native.js';
import { moduleOf } from './source.js';

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
  map(
    events: Iterable<E> | AsyncIterable<E>,
    options: MapOptions & { returnErrors: true },
  ): AsyncGenerator<R | LambdaError, void, undefined>;
  map(events: Iterable<E> | AsyncIterable<E>, options?: MapOptions): AsyncGenerator<R, void, undefined>;
}

const SPEC_FIELDS = Object.keys({
  name: 1, language: 1, code: 1, zip: 1, path: 1, handler: 1, description: 1, runtime: 1,
  timeoutMs: 1, memoryMib: 1, cpus: 1, tmpMib: 1, env: 1, concurrency: 1, image: 1, network: 1,
  freshProcess: 1, minWarm: 1, keepProcesses: 1,
} satisfies Record<keyof FunctionSpec, 1>);
const LIVE_FIELDS = SPEC_FIELDS.filter(
  (field) => !['code', 'zip', 'path', 'handler', 'language'].includes(field),
);
const OPEN_FIELDS = Object.keys({
  dataDir: 1, store: 1, runtimes: 1, namespace: 1, pool: 1, containers: 1, drainTimeoutMs: 1,
  recording: 1, retention: 1, journalBytesMax: 1, liveLogBytes: 1,
} satisfies Record<keyof PlatformOptions, 1>);
const POOL_FIELDS = Object.keys({
  sandboxesMax: 1, memoryMibMax: 1, functionConcurrency: 1, cores: 1, creatingMax: 1, queueMax: 1,
  queueTimeoutMs: 1, idleTimeoutMs: 1, freezeAfterMs: 1, prewarmed: 1,
} satisfies Record<keyof NonNullable<PlatformOptions['pool']>, 1>);
const CONTAINER_FIELDS = Object.keys({
  dockerSocket: 1, pythonImage: 1, javascriptImage: 1, allowedImages: 1, allowedNetworks: 1,
  clearTmp: 1, cgroupFreezer: 1, busyPollUs: 1, runc: 1, runsc: 1,
} satisfies Record<keyof NonNullable<PlatformOptions['containers']>, 1>);
const RETENTION_FIELDS = Object.keys({
  invocationsMs: 1, outputsMs: 1, minutesMs: 1, hoursMs: 1, daysMs: 1,
} satisfies Record<keyof NonNullable<PlatformOptions['retention']>, 1>);
const SUMMARY_FIELDS = ['function', 'from', 'to', 'runtime', 'bucket'];
const LIST_FIELDS = ['function', 'from', 'to', 'runtime', 'status', 'limit', 'cursor'];
const LIMIT_DEFAULT = 50;
const CONCURRENCY_DEFAULT = 16;

/** For this package's own tests, whose build has sandboxes that are acted out. */
const FAKE = Symbol.for('lambdabox.fake');
/** Where the engine has no `await using` yet, the symbol that compilers put in its place. */
const DISPOSE: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose);

/**
 * Deploys functions and runs them in sandboxes.
 *
 * An open platform lets the process end when nothing is awaited; call `close`, or open it with
 * `await using`, so that its sandboxes are removed before. What a process left behind, the next
 * one on the same data directory removes.
 */
export class Platform {
  readonly #native: NativePlatform;
  #closed: Promise<void> | undefined;

  private constructor(platform: NativePlatform) {
    this.#native = platform;
  }

  /** Opens the store and starts a platform. Several may be open at once. */
  static async open(options: PlatformOptions): Promise<Platform> {
    checkFields('Platform.open', options, OPEN_FIELDS);
    if (typeof options?.dataDir !== 'string') {
      throw invalid('Platform.open', '`dataDir` is missing.', 'Name a directory of your application.');
    }
    checkFields('pool', options.pool, POOL_FIELDS);
    checkFields('containers', options.containers, CONTAINER_FIELDS);
    checkFields('retention', options.retention, RETENTION_FIELDS);
    const isFake = (options as { [FAKE]?: boolean })[FAKE] === true;
    return new Platform(await convert(native().open(options, isFake)));
  }

  /** Creates a function, or appends a version to the one that has its name. */
  async deploy(spec: FunctionSpec): Promise<FunctionInfo> {
    checkFields('deploy', spec, SPEC_FIELDS);
    return functionOf(await convert(this.#native.deploy(spec)));
  }

  /** Creates a function; a `ConflictError` if its name is taken. */
  async functionCreate(spec: FunctionSpec): Promise<FunctionInfo> {
    checkFields('functionCreate', spec, SPEC_FIELDS);
    return functionOf(await convert(this.#native.functionCreate(spec)));
  }

  /**
   * Deploys a live function by its source. Its name is the function's own unless `name` is given.
   * Functions that need something from around them are refused, and so are native ones.
   */
  async deployFunction<E = unknown, R = unknown>(
    fn: (event: E, context: never) => R,
    options: DeployFunctionOptions = {},
  ): Promise<DeployedFunction<E, Awaited<R>>> {
    checkFields('deployFunction', options, LIVE_FIELDS);
    const code = moduleOf(fn);
    const name = options.name ?? fn.name;
    if (!name) {
      throw invalid('deployFunction', 'The function has no name.', 'Give one: `{ name: "resize" }`.');
    }
    const info = await this.deploy({
      ...options,
      name,
      language: 'javascript',
      handler: 'index.handler',
      code,
    });
    type Result = Awaited<R>;
    const call = (event?: E, how?: InvokeOptions): Promise<Result> => this.invoke(info.id, event, how);
    const map = (events: Iterable<E> | AsyncIterable<E>, how?: MapOptions) =>
      this.map<E, Result>(info.id, events, how);
    return Object.assign(call, { info, map });
  }

  /** Changes a function: appends a version. Fields that are left out keep their value. */
  async functionUpdate(name: string, change: FunctionChange): Promise<FunctionInfo> {
    checkFields('functionUpdate', change, SPEC_FIELDS);
    const cleared = Object.entries(change).flatMap(([field, value]) => (value === null ? [field] : []));
    for (const field of cleared) {
      if (!['handler', 'tmpMib', 'concurrency', 'image'].includes(field)) {
        throw invalid('functionUpdate', `\`${field}\` cannot be null.`);
      }
    }
    const given = Object.entries(change).filter(([, value]) => value !== null);
    const spec: FunctionSpec = Object.fromEntries(given);
    const update = this.#native.functionUpdate(name, spec, cleared);
    return functionOf(await convert(update));
  }

  /** A function at its current version, or at another one. */
  async functionGet(name: string, qualifier?: string | number): Promise<FunctionInfo> {
    return functionOf(await convert(this.#native.functionGet(name, text(qualifier))));
  }

  /** The code of a function, as it was deployed. */
  async functionCode(name: string, qualifier?: string | number): Promise<FunctionCode> {
    return convert(this.#native.functionCode(name, text(qualifier)));
  }

  /** One page of functions. */
  async functionList(options: PageOptions = {}): Promise<Page<FunctionInfo>> {
    checkFields('functionList', options, ['limit', 'cursor']);
    const { limit = LIMIT_DEFAULT, cursor } = options;
    return pageOf(await convert(this.#native.functionList(limit, cursor)), functionOf);
  }

  /** All functions, newest first, fetched page by page. */
  functions(options: PageOptions = {}): AsyncGenerator<FunctionInfo, void, undefined> {
    return all((cursor) => this.functionList({ ...options, cursor: cursor ?? options.cursor }));
  }

  /** Deletes a function and frees its name. */
  async functionDelete(name: string): Promise<void> {
    await convert(this.#native.functionDelete(name));
  }

  /** One page of a function's versions. */
  async versionList(name: string, options: PageOptions = {}): Promise<Page<FunctionInfo>> {
    checkFields('versionList', options, ['limit', 'cursor']);
    const { limit = LIMIT_DEFAULT, cursor } = options;
    return pageOf(await convert(this.#native.versionList(name, limit, cursor)), functionOf);
  }

  /** Makes another version the current one. */
  async rollback(
    name: string,
    version: number,
    options: { expectedRevision?: string } = {},
  ): Promise<FunctionInfo> {
    return this.aliasSet(name, 'current', version, options);
  }

  /** Points an alias at a version, and gives the function at it. */
  async aliasSet(
    name: string,
    alias: string,
    version: number,
    options: { expectedRevision?: string } = {},
  ): Promise<FunctionInfo> {
    checkFields('aliasSet', options, ['expectedRevision']);
    const set = this.#native.aliasSet(name, alias, version, options.expectedRevision);
    return functionOf(await convert(set));
  }

  /** The aliases of a function, `current` among them. */
  async aliasList(name: string): Promise<AliasInfo[]> {
    return convert(this.#native.aliasList(name));
  }

  /** Deletes an alias, not its version. */
  async aliasDelete(name: string, alias: string): Promise<void> {
    await convert(this.#native.aliasDelete(name, alias));
  }

  /** Calls a handler and gives its result; a `FunctionError` if the function failed. */
  async invoke<R = unknown>(name: string, event?: unknown, options: InvokeOptions = {}): Promise<R> {
    checkFields('invoke', options, INVOKE_FIELDS);
    const request = requestOf(name, { ...options, event }, 'invoke');
    return resultOf(await run<R>(this.#native, request, options.signal));
  }

  /** Runs a script or a handler and gives the whole outcome, also where the function failed. */
  async execute<R = unknown>(name: string, options: ExecuteOptions = {}): Promise<Outcome<R>> {
    return run<R>(this.#native, requestOf(name, options, 'execute'), options.signal);
  }

  /** Starts a run and gives it to hold: its logs while it runs, its outcome, a way to cancel it. */
  async start<R = unknown>(name: string, options: ExecuteOptions = {}): Promise<Invocation<R>> {
    options.signal?.throwIfAborted();
    const request = requestOf(name, options, 'start');
    return held<R>(await convert(this.#native.start(request)), options.signal);
  }

  /**
   * Runs code that is not deployed, once, and gives the whole outcome. `name` is what the code sees
   * as its function's (default `test`); an archive has at most 4 MiB.
   */
  async test<R = unknown>(spec: FunctionSpec, options: TestOptions = {}): Promise<Outcome<R>> {
    checkFields('test', spec, SPEC_FIELDS);
    checkFields('test', options, TEST_FIELDS);
    const { signal, traceId, traceparent } = options;
    const how = { ...payloadOf(options, 'test'), traceId, traceparent };
    return withSignal<R>(signal, (cancel) => this.#native.test(spec, how, cancel));
  }

  /** Starts code that is not deployed, and gives the run to hold; see `test`. */
  async startTest<R = unknown>(spec: FunctionSpec, options: TestOptions = {}): Promise<Invocation<R>> {
    checkFields('startTest', spec, SPEC_FIELDS);
    checkFields('startTest', options, TEST_FIELDS);
    const { signal, traceId, traceparent } = options;
    const how = { ...payloadOf(options, 'startTest'), traceId, traceparent };
    signal?.throwIfAborted();
    return held<R>(await convert(this.#native.startTest(spec, how)), signal);
  }

  /** Kills an invocation of this platform that runs, or waits to run. */
  async cancel(requestId: string): Promise<void> {
    await convert(this.#native.cancel(requestId));
  }

  /**
   * What one invocation writes, from its first byte or from `position` on, until its end. Of one
   * that has ended the last 4 KiB of each stream are kept, and for some seconds all.
   */
  async followInvocation(
    requestId: string,
    options: { position?: string } = {},
  ): Promise<Logs<LogItem>> {
    checkFields('followInvocation', options, ['position']);
    return new Logs(await convert(this.#native.followInvocation(requestId, options.position)));
  }

  /**
   * What all invocations of a function that run on this platform write, from now on, or after the
   * event whose id is `after`. Whoever reads too slowly loses the oldest lines.
   */
  async followFunction(name: string, options: FollowOptions = {}): Promise<Logs<LogEvent>> {
    checkFields('followFunction', options, ['after']);
    return new Logs(await convert(this.#native.followFunction(name, options.after)));
  }

  /** What all invocations on this platform write; see `followFunction`. */
  followAll(options: FollowOptions = {}): Logs<LogEvent> {
    checkFields('followAll', options, ['after']);
    return new Logs(convertNow(() => this.#native.followAll(options.after)));
  }

  /**
   * Calls a handler with each of many events and yields the results in the events' order, with at
   * most `concurrency` calls at once. The first failure is thrown at its place, and ends the
   * others, as leaving the loop does; with `returnErrors` it is yielded there.
   */
  map<E = unknown, R = unknown>(
    name: string,
    events: Iterable<E> | AsyncIterable<E>,
    options: MapOptions & { returnErrors: true },
  ): AsyncGenerator<R | LambdaError, void, undefined>;
  map<E = unknown, R = unknown>(
    name: string,
    events: Iterable<E> | AsyncIterable<E>,
    options?: MapOptions,
  ): AsyncGenerator<R, void, undefined>;
  async *map<E, R>(
    name: string,
    events: Iterable<E> | AsyncIterable<E>,
    options: MapOptions = {},
  ): AsyncGenerator<R | LambdaError, void, undefined> {
    checkFields('map', options, MAP_FIELDS);
    const { concurrency = CONCURRENCY_DEFAULT, progress, returnErrors = false, signal, ...how } = options;
    if (!(Number.isInteger(concurrency) && concurrency >= 1)) {
      throw invalid('map', '`concurrency` is a whole number, at least 1.');
    }
    const stop = new AbortController();
    let finished = 0;
    const call = async (event: E): Promise<R | LambdaError> => {
      let result: R | LambdaError;
      try {
        result = await this.invoke<R>(name, event, { ...how, signal: stop.signal });
      } catch (error) {
        if (!(returnErrors && error instanceof LambdaError)) throw error;
        result = error;
      }
      finished += 1;
      progress?.(finished);
      return result;
    };
    const abort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      yield* mapBounded(events, concurrency, call, () => stop.abort());
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** One page of what has been run. A run is visible within a second. */
  async invocationList(filter: InvocationFilter = {}): Promise<Page<InvocationInfo>> {
    checkFields('invocationList', filter, LIST_FIELDS);
    return pageOf(await convert(this.#native.invocationList(filterOf(filter))), invocationOf);
  }

  /** All of what has been run, newest first, fetched page by page. */
  invocations(filter: InvocationFilter = {}): AsyncGenerator<InvocationInfo, void, undefined> {
    return all((cursor) => this.invocationList({ ...filter, cursor: cursor ?? filter.cursor }));
  }

  /** One invocation, with the end of what it wrote. */
  async invocationGet(requestId: string): Promise<InvocationInfo> {
    return invocationOf(await convert(this.#native.invocationGet(requestId)));
  }

  /** Counts and durations over invocations. */
  async invocationSummary(filter: SummaryFilter = {}): Promise<InvocationFigures> {
    checkFields('invocationSummary', filter, SUMMARY_FIELDS);
    return convert(this.#native.invocationSummary(filterOf(filter)));
  }

  /** Makes an access token for a server on the same store, and gives its secret, kept nowhere. */
  async tokenCreate(
    name: string,
    scopes: readonly string[],
  ): Promise<{ token: Token; secret: string }> {
    const { token, secret } = await convert(this.#native.tokenCreate(name, [...scopes]));
    return { token: tokenOf(token), secret };
  }

  /** The token with this secret, if there is one. */
  async tokenFind(secret: string): Promise<Token | null> {
    const token = await convert(this.#native.tokenFind(secret));
    return token && tokenOf(token);
  }

  /** All tokens, oldest first. */
  async tokenList(): Promise<Token[]> {
    return (await convert(this.#native.tokenList())).map(tokenOf);
  }

  /** Revokes a token, by its id. */
  async tokenDelete(id: string): Promise<void> {
    await convert(this.#native.tokenDelete(id));
  }

  /**
   * Looks at the store and at every runtime, at all of them at once. What has not answered after
   * `patienceMs` does not work.
   */
  async readiness(patienceMs: number): Promise<Readiness> {
    const { runtimes, ...state } = await convert(this.#native.readiness(patienceMs));
    return { ...state, runtimes: Object.fromEntries(runtimes.map((it) => [it.runtime, it.works])) };
  }

  /** How records stand on their way into the store; null where recording is off. */
  recorderStatus(): RecorderStatus | null {
    const state = this.#native.recorderStatus();
    if (state === null) return null;
    const { oldestPendingAt, sheddingSince, store, disk, ...counts } = state;
    return {
      ...counts,
      oldestPendingAt: dateOf(oldestPendingAt),
      sheddingSince: dateOf(sheddingSince),
      store: troubleOf(store),
      disk: troubleOf(disk),
    };
  }

  /** The names of the runtimes. */
  runtimes(): string[] {
    return this.#native.runtimes();
  }

  /** This platform's sandboxes, in numbers. */
  poolStats(): PoolState | null {
    return this.#native.poolStats();
  }

  /**
   * Looks at the store and at every runtime, and says what to mend. `thorough` also starts
   * sandboxes and verifies that limits are enforced, which takes seconds.
   */
  async check(options: { thorough?: boolean } = {}): Promise<CheckFinding[]> {
    checkFields('check', options, ['thorough']);
    return convert(this.#native.check(options.thorough ?? false));
  }

  /** Waits for running invocations, at most `drainTimeoutMs`, and removes every sandbox. */
  close(): Promise<void> {
    this.#closed ??= convert(this.#native.close());
    return this.#closed;
  }
}

export interface Platform {
  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

Object.defineProperty(Platform.prototype, DISPOSE, {
  configurable: true,
  writable: true,
  value(this: Platform) {
    return this.close();
  },
});

/** A run to hold, which `signal` kills. */
function held<R>(started: NativeInvocation, signal: AbortSignal | undefined): Invocation<R> {
  const invocation = new Invocation<R>(started);
  if (signal) {
    const abort = (): void => invocation.cancel();
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const forget = (): void => signal.removeEventListener('abort', abort);
    invocation.outcome().then(forget, forget);
  }
  return invocation;
}

function tokenOf(from: NativeToken): Token {
  return { ...from, createdAt: new Date(from.createdAt) };
}

function dateOf(milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds);
}

function troubleOf(from: TroubleState | undefined): Trouble | undefined {
  return from && { ...from, since: new Date(from.since) };
}

function text(qualifier: string | number | undefined): string | undefined {
  return qualifier === undefined ? undefined : String(qualifier);
}

function functionOf(from: NativeFunctionInfo): FunctionInfo {
  return { ...from, createdAt: new Date(from.createdAt), updatedAt: new Date(from.updatedAt) };
}

function invocationOf(from: NativeInvocationInfo): InvocationInfo {
  return { ...from, startedAt: new Date(from.startedAt) };
}

function pageOf<A, B>(page: { items: A[]; next?: string }, convertItem: (item: A) => B): Page<B> {
  return { ...page, items: page.items.map(convertItem) };
}

function filterOf(filter: InvocationFilter & SummaryFilter): NativeFilter {
  const { status, from, to, ...rest } = filter;
  return {
    ...rest,
    from: from === undefined ? undefined : +from,
    to: to === undefined ? undefined : +to,
    statuses: status === undefined ? undefined : ([] as string[]).concat(status as string[]),
  };
}

async function* all<T>(
  page: (cursor: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  do {
    const { items, next } = await page(cursor);
    yield* items;
    cursor = next;
  } while (cursor !== undefined);
}
