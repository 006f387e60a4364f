/** Finds and loads the native library, once, when it is first needed: importing loads nothing. */
import type * as Native from '../native.js';
export declare function native(): typeof Native;
