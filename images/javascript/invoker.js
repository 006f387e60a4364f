'use strict';
// Calls handlers.

// The limit that AWS Lambda puts on a synchronous response.
const RESULT_MAX_BYTES = 6_291_556;

// The second argument of a handler: AWS Lambda's names, types and units.
class LambdaContext {
  constructor(config, headers) {
    const deadlineUnixMs = Number(headers['lambda-runtime-deadline-ms']);
    this.callbackWaitsForEmptyEventLoop = true;
    this.functionVersion = config.function_version;
    this.functionName = config.function_name;
    this.memoryLimitInMB = String(config.memory_limit_mib);
    this.logGroupName = config.log_group_name;
    this.logStreamName = config.log_stream_name;
    this.clientContext = undefined;
    this.identity = undefined;
    this.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
    this.awsRequestId = headers['lambda-runtime-aws-request-id'];
    // Ours: where the caller sent one, the W3C trace context of this invocation.
    this.traceparent = headers['lambda-runtime-traceparent'];
    this.getRemainingTimeInMillis = () => Math.max(deadlineUnixMs - Date.now(), 0);
  }
}

// Calls a handler, one invocation after the other.
class Invoker {
  constructor(connection, config, handler, tidier) {
    this._tidier = tidier;
    this._connection = connection;
    this._config = config;
    this._handler = handler;
    this._getNext = '';
    this._traceId = undefined;
    // The invocation that runs: { id, isAsync, answer }; `answer` is a callback's result
    // that waits for the event loop to be empty.
    this.current = null;
    process.on('beforeExit', () => this._onEmptyEventLoop());
  }

  // `getNext`: the request for the next event, which goes along with each answer.
  start(getNext) {
    this._getNext = getNext;
    this._connection.onAnswer = (headers, body) => this._invoke(headers, body);
    this._connection.send(getNext);
  }

  _invoke(headers, body) {
    const invocation = {
      id: headers['lambda-runtime-aws-request-id'],
      isAsync: false,
      answer: null,
    };
    this.current = invocation;
    // While the handler runs only its own work counts; without any, it has ended.
    this._connection.keepAlive(false);
    this._setTraceId(headers['lambda-runtime-trace-id']);
    let event;
    try {
      event = body.length === 0 ? {} : JSON.parse(body.utf8Slice(0, body.length));
    } catch (error) {
      const message = `Unable to unmarshal input: ${error.message}`;
      this._reply(invocation, 'error', errors().report('Runtime.UnmarshalError', message));
      return;
    }
    try {
      const handler = this._handler;
      const context = new LambdaContext(this._config, headers);
      const result = handler(event, context, (error, value) => {
        if (this.current !== invocation || invocation.answer !== null) return;
        if (error !== undefined && error !== null) this._fail(invocation, error);
        else if (context.callbackWaitsForEmptyEventLoop) invocation.answer = { value };
        else this._succeed(invocation, value);
      });
      if (typeof result?.then === 'function') {
        invocation.isAsync = true;
        result.then(
          (value) => this._succeed(invocation, value),
          (error) => this._fail(invocation, error),
        );
      } else if (result !== undefined && handler.length < 3) {
        // It has no use for a callback, so its result is what it returned.
        this._succeed(invocation, result);
      }
    } catch (error) {
      this._fail(invocation, error);
    }
  }

  _onEmptyEventLoop() {
    const invocation = this.current;
    if (invocation === null) return;
    if (invocation.answer !== null) {
      this._succeed(invocation, invocation.answer.value);
    } else if (invocation.isAsync) {
      const message =
        'The handler returned a promise that can never settle: the event loop is empty.';
      this._reply(invocation, 'error', errors().report('Runtime.NodeJsExit', message));
    } else {
      // As on AWS, a handler that neither returns nor calls back has succeeded with null.
      this._succeed(invocation, null);
    }
  }

  _succeed(invocation, value) {
    if (this.current !== invocation) return;
    let body;
    try {
      body = JSON.stringify(value === undefined ? null : value);
    } catch (error) {
      this._failToMarshal(invocation, errors().messageOf(error));
      return;
    }
    if (body === undefined) {
      this._failToMarshal(invocation, `a ${typeof value} is not JSON`);
      return;
    }
    const bytes = Buffer.byteLength(body);
    if (bytes > RESULT_MAX_BYTES) {
      const limit = `maximum allowed payload size (${RESULT_MAX_BYTES} bytes)`;
      const message = `Response payload size exceeded ${limit}.`;
      const report = errors().report('Function.ResponseSizeTooLarge', message);
      this._reply(invocation, 'error', report);
      return;
    }
    this._reply(invocation, 'response', body, bytes);
  }

  _failToMarshal(invocation, reason) {
    const message = `Unable to stringify response body: ${reason}`;
    this._reply(invocation, 'error', errors().report('Runtime.MarshalError', message));
  }

  _fail(invocation, error) {
    if (this.current !== invocation) return;
    this._reply(invocation, 'error', errors().reportThrown(error));
  }

  _reply(invocation, verdict, body, bodyBytes = Buffer.byteLength(body)) {
    if (this.current !== invocation) return;
    this.current = null;
    this._connection.keepAlive(true);
    this._connection.post(`invocation/${invocation.id}/${verdict}`, body, bodyBytes, this._getNext);
    this._tidier.tidy();
  }

  _setTraceId(traceId) {
    if (traceId === this._traceId) return;
    this._traceId = traceId;
    if (traceId === undefined) delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = traceId;
  }
}

// Most functions never fail, and need not wait for this file.
function errors() {
  return require('./errors.js');
}

module.exports = { Invoker };
