/** Finds and loads the native library, once, when it is first needed: importing loads nothing. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type * as Native from '../native.js';
import { RuntimeUnavailableError } from './errors.js';

let loaded: typeof Native | undefined;

export function native(): typeof Native {
  loaded ??= require(path()) as typeof Native;
  return loaded;
}

function path(): string {
  // For builds of one's own.
  const own = process.env.LAMBDABOX_NATIVE_LIBRARY;
  if (own) return own;
  const target = `${process.platform}-${process.arch}-gnu`;
  const file = join(__dirname, '..', 'prebuilt', `lambdabox.${target}.node`);
  if (existsSync(file)) return file;
  throw new RuntimeUnavailableError({
    message: `This package has no native library for ${target}.`,
    hint:
      'It runs on Linux with glibc, on x64 and arm64. Build the library from the repository with ' +
      '`npm run build:native -- --release`, or name one in LAMBDABOX_NATIVE_LIBRARY.',
    operation: 'library_load',
    code: 'ResourceNotReadyException',
    retryable: false,
  });
}
