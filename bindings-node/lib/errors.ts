/** One class for each kind of failure. Messages say what is wrong, hints what to do next. */

import type { Outcome } from './invocation.js';

/** What an error carries besides its message. */
export interface ErrorParts {
  message: string;
  code: string;
  operation: string;
  hint?: string | undefined;
  retryable?: boolean;
  retryAfterMs?: number | undefined;
}

/** An error of the platform: every one of this package is an instance. */
export class LambdaError extends Error {
  /** AWS Lambda's name for it: stable, for programs to compare. */
  readonly code: string;
  /** What was being done, for example `function_get`. */
  readonly operation: string;
  /** What to do next, where there is something. */
  readonly hint: string | undefined;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** When a retry is worth it, in milliseconds, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(parts: ErrorParts) {
    super(parts.hint ? `${parts.message} ${parts.hint}` : parts.message);
    this.name = new.target.name;
    this.code = parts.code;
    this.operation = parts.operation;
    this.hint = parts.hint ?? undefined;
    this.retryable = parts.retryable ?? false;
    this.retryAfterMs = parts.retryAfterMs ?? undefined;
  }
}

/** A value is missing, unknown or out of range. */
export class InvalidParameterError extends LambdaError {}
/** An event is not what the function reads. */
export class InvalidRequestContentError extends LambdaError {}
/** A media type is not the expected one. */
export class UnsupportedMediaTypeError extends LambdaError {}
/** A zip archive is damaged, hostile or too large once unpacked. */
export class InvalidZipFileError extends LambdaError {}
/** No credentials, or wrong ones. */
export class UnauthenticatedError extends LambdaError {}
/** The credentials do not allow the operation. */
export class PermissionDeniedError extends LambdaError {}
/** The function, version, alias or invocation does not exist. */
export class NotFoundError extends LambdaError {}
/** The name is taken. */
export class ConflictError extends LambdaError {}
/** The thing has changed since it was read. */
export class PreconditionFailedError extends LambdaError {}
/** The event or the code is over its limit. */
export class PayloadTooLargeError extends LambdaError {}
/** Concurrency, queue or memory bounds are reached; try again later. */
export class ThrottledError extends LambdaError {}
/** A sandbox back end cannot be used on this machine as it is now. */
export class RuntimeUnavailableError extends LambdaError {}
/** The store cannot be reached, or refused to work. */
export class StoreUnavailableError extends LambdaError {}
/** The platform is closed. */
export class ClosedError extends LambdaError {}
/** The platform broke a promise of its own. */
export class InternalError extends LambdaError {}

const CLASSES: Record<string, new (parts: ErrorParts) => LambdaError> = {
  InvalidParameter: InvalidParameterError,
  InvalidRequestContent: InvalidRequestContentError,
  UnsupportedMediaType: UnsupportedMediaTypeError,
  InvalidZipFile: InvalidZipFileError,
  Unauthenticated: UnauthenticatedError,
  PermissionDenied: PermissionDeniedError,
  NotFound: NotFoundError,
  Conflict: ConflictError,
  PreconditionFailed: PreconditionFailedError,
  PayloadTooLarge: PayloadTooLargeError,
  Throttled: ThrottledError,
  RuntimeUnavailable: RuntimeUnavailableError,
  StoreUnavailable: StoreUnavailableError,
  Closed: ClosedError,
  Internal: InternalError,
};

/**
 * The function that was invoked failed: it threw, ran out of time or memory, or its process ended.
 * The platform itself is well.
 */
export class FunctionError extends LambdaError {
  /** What the function threw, for example `TypeError`, or a name of AWS Lambda's. */
  readonly type: string;
  /** The stack inside of the sandbox, line by line. */
  readonly remoteStack: readonly string[];
  /** `function_error`, `timeout`, `out_of_memory` or `crashed`. */
  readonly status: string;
  /** Everything about the invocation: output streams, timings, exit code. */
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    const error = outcome.error;
    super({
      message: error?.message ?? `The function ended with the status ${outcome.status}.`,
      code: 'FunctionError',
      operation: 'invoke',
    });
    this.type = error?.type ?? 'Unhandled';
    this.remoteStack = error?.trace ?? [];
    this.status = outcome.status;
    this.outcome = outcome;
  }
}

/** Bad input, found on this side. */
export function invalid(operation: string, message: string, hint?: string): InvalidParameterError {
  const code = 'InvalidParameterValueException';
  return new InvalidParameterError({ code, operation, message, hint });
}

/** Waits for the native side, and makes its errors these classes, with the caller's stack. */
export async function convert<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw fromNative(error);
  }
}

/** As `convert`, where nothing is waited for. */
export function convertNow<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith('{')) return error;
  const parts = JSON.parse(error.message) as ErrorParts & { kind: string };
  return new (CLASSES[parts.kind] ?? InternalError)(parts);
}

/** Refuses names of fields that do not exist: a typo is an error, not a default. */
export function checkFields(what: string, given: object | undefined, known: readonly string[]): void {
  if (given === undefined) return;
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw invalid(what, `\`${what}\` takes an object of options.`);
  }
  for (const field of Object.keys(given)) {
    if (!known.includes(field)) {
      throw invalid(what, `\`${what}\` has no field \`${field}\`.`, `There are: ${known.join(', ')}.`);
    }
  }
}
