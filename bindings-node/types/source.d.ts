/**
 * The source of a live function, as far as it stands on its own.
 *
 * A function's source says nothing of the values around it. So every name that it uses and does
 * not declare has to be one that JavaScript or Node has everywhere; any other one is refused. What
 * cannot be seen: names inside of `eval` and `new Function`, and a global that was replaced.
 */
type AnyFunction = (...args: never[]) => unknown;
/** A CommonJS module whose `handler` is `fn`. */
export declare function moduleOf(fn: AnyFunction): string;
export {};
