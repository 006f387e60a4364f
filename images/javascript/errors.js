'use strict';
// Shapes failures as AWS Lambda does: errorType, errorMessage, trace.

const util = require('util');

// Bounds that keep a report under 256 KiB, whatever was thrown.
const REPORT_MAX_BYTES = 256 * 1024;
const MESSAGE_MAX_CHARS = 32 * 1024;
const LINE_MAX_CHARS = 1024;
const LINES_MAX = 64;

// A failure that has one of AWS's own types instead of a class name.
class RuntimeFailure extends Error {
  constructor(errorType, message, cause, trace) {
    super(message);
    this.errorType = errorType;
    this.trace = trace ?? traceOf(cause);
  }
}

// The body of a report about anything that was thrown.
function reportThrown(thrown) {
  if (thrown instanceof RuntimeFailure) {
    return report(thrown.errorType, thrown.message, thrown.trace);
  }
  return report(typeOf(thrown), messageOf(thrown), traceOf(thrown));
}

function reportRejection(reason) {
  const type = 'Runtime.UnhandledPromiseRejection';
  const message = isError(reason) ? `${typeOf(reason)}: ${messageOf(reason)}` : messageOf(reason);
  return report(type, message, traceOf(reason));
}

function report(errorType, errorMessage, trace = []) {
  if (errorMessage.length > MESSAGE_MAX_CHARS) {
    errorMessage = `${errorMessage.slice(0, MESSAGE_MAX_CHARS)}... (truncated)`;
  }
  const encode = (lines) =>
    JSON.stringify({
      errorType: printable(errorType),
      errorMessage: printable(errorMessage),
      trace: lines.map((line) => printable(line.slice(0, LINE_MAX_CHARS))),
    });
  const body = encode(trace.slice(0, LINES_MAX));
  return Buffer.byteLength(body) <= REPORT_MAX_BYTES ? body : encode([]);
}

function isError(thrown) {
  return thrown instanceof Error || util.types.isNativeError(thrown);
}

function typeOf(thrown) {
  if (!isError(thrown)) return thrown === null ? 'null' : typeof thrown;
  try {
    return String(thrown.name);
  } catch {
    return 'Error';
  }
}

function messageOf(thrown) {
  // An object of the user's may fail here in any way.
  try {
    if (isError(thrown)) return String(thrown.message);
    const text = String(thrown);
    return text === '[object Object]' ? util.inspect(thrown, { depth: 1 }) : text;
  } catch {
    return `<unprintable ${typeof thrown}>`;
  }
}

// The stack of an error without the frames below the user's code, which are Node's and ours.
function traceOf(thrown) {
  if (!isError(thrown)) return [];
  try {
    const lines = String(thrown.stack).split('\n');
    while (lines.length > 1 && isInternalFrame(lines[lines.length - 1])) lines.pop();
    return withoutRuntime(lines);
  } catch {
    return [];
  }
}

function withoutRuntime(lines) {
  return lines.filter((line) => !line.includes(__dirname + '/'));
}

function isFrame(line) {
  return line.startsWith('    at ');
}

function isInternalFrame(line) {
  return (
    isFrame(line) &&
    (line.includes('node:internal/') ||
      line.includes(__dirname + '/') ||
      line.includes('(<anonymous>)') ||
      line.includes('(node:'))
  );
}

// A lone surrogate is no valid UTF-8, and hosts refuse it in JSON.
function printable(text) {
  return Buffer.from(text).toString();
}

module.exports = {
  RuntimeFailure,
  report,
  reportThrown,
  reportRejection,
  messageOf,
  withoutRuntime,
};
