'use strict';
// The program inside a JavaScript sandbox: takes code over the sandbox protocol and runs it.
//
// The protocol is described in lambda-core/src/protocol/PROTOCOL.md. This file holds the
// connection and the initialisation; its neighbours load code (loader.js), call handlers
// (invoker.js), also in processes of their own (fresh.js, fresh_child.js), run scripts (script.js,
// spare.js), shape failures (errors.js) and tidy up between invocations (tidy.js).

const fs = require('fs');
const net = require('net');
const path = require('path');

const RECEIVE_BYTES = 65_536;

const GET_INIT = 'GET /lambda/v1/init HTTP/1.1\r\nHost: lambda\r\n\r\n';
const GET_NEXT = 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: lambda\r\n\r\n';

// A client of the Runtime API that knows only what the protocol uses of HTTP/1.1. `http`
// would take several times as long per message.
class Connection {
  // `onAnswer(headers, body)` gets the answers to GETs. The body is valid during the call.
  constructor(socketPath, onConnect) {
    this.onAnswer = null;
    this.answered = false;
    this._unread = null;
    this._accepted = false;
    this._socket = net.connect(
      {
        path: socketPath,
        // One buffer for all reads, past the layers of a stream.
        onread: {
          buffer: Buffer.allocUnsafeSlow(RECEIVE_BYTES),
          callback: (count, buffer) => {
            this.answered = true;
            this._receive(buffer.subarray(0, count));
            return true;
          },
        },
      },
      onConnect,
    );
    // The sandbox is over.
    this._socket.on('error', () => process.exit(1));
    this._socket.on('end', () => process.exit(1));
  }

  // Whether waiting for the host keeps the event loop, and so the process, alive.
  keepAlive(isKept) {
    if (isKept) this._socket.ref();
    else this._socket.unref();
  }

  send(text) {
    // A write past the stream: nothing else is queued, because the host has answered all.
    let written = 0;
    try {
      written = fs.writeSync(this._socket._handle.fd, text);
    } catch (error) {
      if (error.code !== 'EAGAIN') process.exit(1);
    }
    // A string of n characters has n bytes or more.
    if (written < text.length || written < Buffer.byteLength(text)) {
      this._socket.write(Buffer.from(text).subarray(written));
    }
  }

  // Sends a POST, together with the request that follows it.
  post(target, body, bodyBytes, then) {
    this.send(
      `POST /2018-06-01/runtime/${target} HTTP/1.1\r\nHost: lambda\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${bodyBytes}\r\n\r\n${body}${then}`,
    );
  }

  // Sends a last POST and waits for its answer, without running any more of the user's code.
  postAndExit(target, body) {
    const { _handle: handle } = this._socket;
    handle.setBlocking(true);
    this._accepted = false;
    this.onAnswer = () => {};
    this.post(target, body, Buffer.byteLength(body), '');
    const buffer = Buffer.allocUnsafe(RECEIVE_BYTES);
    try {
      while (!this._accepted) {
        const count = fs.readSync(handle.fd, buffer);
        if (count === 0) break;
        this._receive(buffer.subarray(0, count));
      }
    } catch {
      // The host is gone.
    }
    process.exit(1);
  }

  _receive(data) {
    if (this._unread !== null) {
      data = this._gather(data);
      if (data === null) return;
    }
    let offset = 0;
    while (offset < data.length) {
      const headEnd = data.indexOf('\r\n\r\n', offset, 'latin1');
      const message = headEnd < 0 ? null : parseHead(data.latin1Slice(offset, headEnd));
      const bodyStart = headEnd + 4;
      const bodyEnd = message === null ? Infinity : bodyStart + message.length;
      if (bodyEnd > data.length) {
        this._await(data.subarray(offset), message && bodyEnd - offset);
        return;
      }
      offset = bodyEnd;
      if (message.status === '202') this._accepted = true;
      else if (message.status === '200') {
        this.onAnswer(message.headers, data.subarray(bodyStart, bodyEnd));
      } else process.exit(1);
    }
  }

  // Keeps the beginning of a message of `total` bytes; null: not known yet.
  _await(data, total) {
    const bytes = Buffer.allocUnsafe(Math.max(total ?? 0, data.length));
    data.copy(bytes);
    this._unread = { bytes, filled: data.length, total };
  }

  // Adds to what is kept. Returns it, and what follows it, once there is enough.
  _gather(data) {
    const { bytes, filled, total } = this._unread;
    if (total === null) {
      this._unread = null;
      return Buffer.concat([bytes.subarray(0, filled), data]);
    }
    const missing = total - filled;
    data.copy(bytes, filled, 0, missing);
    if (data.length < missing) {
      this._unread.filled += data.length;
      return null;
    }
    this._unread = null;
    return data.length === missing ? bytes : Buffer.concat([bytes, data.subarray(missing)]);
  }
}

function parseHead(head) {
  const lines = head.split('\r\n');
  const headers = Object.create(null);
  for (let i = 1; i < lines.length; i++) {
    const colon = lines[i].indexOf(':');
    headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
  }
  return {
    status: lines[0].slice(9, 12),
    headers,
    length: Number(headers['content-length'] ?? 0),
  };
}

// Most functions never fail, and need not wait for this file.
function errors() {
  return require('./errors.js');
}

// Makes the process the function's: its environment and working directory.
function enterFunction(config, taskRoot) {
  const { TZ } = process.env;
  Object.assign(
    process.env,
    {
      LAMBDA_TASK_ROOT: taskRoot,
      LAMBDA_RUNTIME_DIR: __dirname,
      AWS_LAMBDA_FUNCTION_NAME: config.function_name,
      AWS_LAMBDA_FUNCTION_VERSION: config.function_version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(config.memory_limit_mib),
      AWS_LAMBDA_LOG_GROUP_NAME: config.log_group_name,
      AWS_LAMBDA_LOG_STREAM_NAME: config.log_stream_name,
      HOME: '/tmp',
    },
    // Setting it costs milliseconds, also where nothing changes.
    TZ === ':UTC' ? {} : { TZ: ':UTC' },
    config.handler === null ? {} : { _HANDLER: config.handler },
    config.env,
  );
  // Node has read this one already, when it was started.
  if (config.env.NODE_PATH) require('module').Module._initPaths();
  process.chdir(taskRoot);
}

// What an initialisation may need, loaded for as long as nobody waits for this sandbox.
function preload(connection) {
  const steps = [
    () => require('./loader.js'),
    () => require('./invoker.js'),
    () => require('./errors.js'),
    () => require('./tidy.js'),
    () => require('zlib'),
    // The loader of ES modules starts with its first use.
    () => import('data:text/javascript,').catch(() => {}),
    () => require('./loader.js').rehearse(__dirname),
  ];
  const next = () => {
    if (connection.answered || steps.length === 0) return;
    steps.shift()();
    setImmediate(next);
  };
  setImmediate(next);
}

async function initialise(connection, headers, body, state) {
  try {
    const configBytes = Number(headers['lambda-init-config-length']);
    const config = JSON.parse(body.utf8Slice(0, configBytes));
    const code = body.subarray(configBytes);
    const taskRoot = path.resolve(process.env.LAMBDA_TASK_ROOT ?? '/var/task');
    const loader = require('./loader.js');
    enterFunction(config, taskRoot);
    loader.unpack(config, code, taskRoot);
    if (config.handler === null) {
      const { Runner } = require('./script.js');
      const file = loader.findScript(taskRoot);
      new Runner(connection, file, state).start(GET_NEXT);
    } else if (config.fresh_process) {
      const { FreshInvoker } = require('./fresh.js');
      await new FreshInvoker(connection, config, taskRoot, state).start(GET_NEXT);
    } else {
      const { Invoker } = require('./invoker.js');
      const { Tidier } = require('./tidy.js');
      const handler = await loader.loadHandler(config.handler, taskRoot);
      const tidier = new Tidier(state.mayKillAll && !config.keep_processes, state.clearsTmp);
      state.invoker = new Invoker(connection, config, handler, tidier);
      state.invoker.start(GET_NEXT);
    }
    state.isInitialising = false;
  } catch (error) {
    connection.postAndExit('init/error', errors().reportThrown(error));
  }
}

function main() {
  const state = {
    isInitialising: false,
    invoker: null,
    // Set where all processes that this one may signal are the function's.
    mayKillAll: process.env.LAMBDA_KILL_STRAYS === '1',
    clearsTmp: process.env.LAMBDA_CLEAR_TMP === '1',
  };
  const socketPath = process.env.LAMBDA_API_SOCKET ?? '/run/lambda/api.sock';
  delete process.env.LAMBDA_KILL_STRAYS;
  delete process.env.LAMBDA_CLEAR_TMP;
  delete process.env.LAMBDA_API_SOCKET;
  const connection = new Connection(socketPath, () => {
    connection.send(GET_INIT);
    // From here on the time is the host's, which may not need this sandbox for minutes.
    require('./streams.js').prepareStreams();
    preload(connection);
  });
  connection.onAnswer = (headers, body) => {
    state.isInitialising = true;
    // The code stays in use beyond this call.
    initialise(connection, headers, Buffer.from(body), state);
  };

  // As on AWS: what nobody caught is reported, and then the process ends.
  const crash = (error, report) => {
    const invocation = state.invoker?.current;
    if (invocation) connection.postAndExit(`invocation/${invocation.id}/error`, report());
    if (state.isInitialising) connection.postAndExit('init/error', report());
    console.error('Uncaught between invocations:', error);
    process.exit(1);
  };
  process.on('uncaughtException', (error, origin) => {
    if (origin === 'uncaughtException') crash(error, () => errors().reportThrown(error));
  });
  process.on('unhandledRejection', (reason) => {
    crash(reason, () => errors().reportRejection(reason));
  });
}

main();
