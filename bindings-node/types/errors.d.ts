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
export declare class LambdaError extends Error {
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
    constructor(parts: ErrorParts);
}
/** A value is missing, unknown or out of range. */
export declare class InvalidParameterError extends LambdaError {
}
/** An event is not what the function reads. */
export declare class InvalidRequestContentError extends LambdaError {
}
/** A media type is not the expected one. */
export declare class UnsupportedMediaTypeError extends LambdaError {
}
/** A zip archive is damaged, hostile or too large once unpacked. */
export declare class InvalidZipFileError extends LambdaError {
}
/** No credentials, or wrong ones. */
export declare class UnauthenticatedError extends LambdaError {
}
/** The credentials do not allow the operation. */
export declare class PermissionDeniedError extends LambdaError {
}
/** The function, version, alias or invocation does not exist. */
export declare class NotFoundError extends LambdaError {
}
/** The name is taken. */
export declare class ConflictError extends LambdaError {
}
/** The thing has changed since it was read. */
export declare class PreconditionFailedError extends LambdaError {
}
/** The event or the code is over its limit. */
export declare class PayloadTooLargeError extends LambdaError {
}
/** Concurrency, queue or memory bounds are reached; try again later. */
export declare class ThrottledError extends LambdaError {
}
/** A sandbox back end cannot be used on this machine as it is now. */
export declare class RuntimeUnavailableError extends LambdaError {
}
/** The store cannot be reached, or refused to work. */
export declare class StoreUnavailableError extends LambdaError {
}
/** The platform is closed. */
export declare class ClosedError extends LambdaError {
}
/** The platform broke a promise of its own. */
export declare class InternalError extends LambdaError {
}
/**
 * The function that was invoked failed: it threw, ran out of time or memory, or its process ended.
 * The platform itself is well.
 */
export declare class FunctionError extends LambdaError {
    /** What the function threw, for example `TypeError`, or a name of AWS Lambda's. */
    readonly type: string;
    /** The stack inside of the sandbox, line by line. */
    readonly remoteStack: readonly string[];
    /** `function_error`, `timeout`, `out_of_memory` or `crashed`. */
    readonly status: string;
    /** Everything about the invocation: output streams, timings, exit code. */
    readonly outcome: Outcome;
    constructor(outcome: Outcome);
}
/** Bad input, found on this side. */
export declare function invalid(operation: string, message: string, hint?: string): InvalidParameterError;
/** Waits for the native side, and makes its errors these classes, with the caller's stack. */
export declare function convert<T>(call: Promise<T>): Promise<T>;
/** As `convert`, where nothing is waited for. */
export declare function convertNow<T>(call: () => T): T;
/** Refuses names of fields that do not exist: a typo is an error, not a default. */
export declare function checkFields(what: string, given: object | undefined, known: readonly string[]): void;
