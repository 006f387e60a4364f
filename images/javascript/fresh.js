'use strict';
// Runs each invocation of a handler in a Node process that was started before it was needed, and
// has loaded the code. What a process leaves in memory no other finds.

const { spawn } = require('child_process');
const path = require('path');
const { Tidier } = require('./tidy.js');

// Stands in for the invoker in the bootstrap's own process, where no code of the user's runs.
class FreshInvoker {
  constructor(connection, config, taskRoot, { mayKillAll, clearsTmp }) {
    this._connection = connection;
    this._order = JSON.stringify({ config, taskRoot });
    // A process of one invocation is to end with it, which is no news.
    this._tidier = new Tidier(mayKillAll, clearsTmp, false);
    this._getNext = '';
    this._spare = null;
  }

  // Settles when the first process has loaded the code; if it fails to, this one ends.
  async start(getNext) {
    this._getNext = getNext;
    this._prepare();
    const { verdict, body } = await this._spare.next();
    if (verdict === 'failed') this._connection.postAndExit('init/error', body);
    this._connection.onAnswer = (headers, event) => {
      // The event is valid during this call only.
      this._invoke(headers, Buffer.from(event));
    };
    this._connection.send(getNext);
  }

  _prepare() {
    this._spare = new Spare(this._order);
  }

  async _invoke(headers, event) {
    const spare = this._spare;
    spare.give(headers, event);
    let { verdict, body } = await spare.next();
    // What the first process did at its start, a later one does now.
    if (verdict === 'ready') ({ verdict, body } = await spare.next());
    spare.kill();
    const id = headers['lambda-runtime-aws-request-id'];
    const end = verdict === 'response' ? 'response' : 'error';
    this._connection.post(`invocation/${id}/${end}`, body, Buffer.byteLength(body), this._getNext);
    this._tidier.tidy();
    this._prepare();
  }
}

// A process that waits for its one invocation. It says frames: `<verdict> <bytes>\n<body>`.
class Spare {
  constructor(order) {
    this._child = spawn(
      process.execPath,
      [...process.execArgv, path.join(__dirname, 'fresh_child.js')],
      { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'], detached: true },
    );
    this._isDone = false;
    this._frames = [];
    this._waiting = null;
    this._received = Buffer.alloc(0);
    const [, , , orders, answers] = this._child.stdio;
    this._orders = orders;
    // It may die before it reads; `exit` says so.
    orders.on('error', () => {});
    orders.write(`${order}\n`);
    answers.on('data', (data) => this._receive(data));
    answers.on('error', () => {});
    this._child.once('error', () => process.exit(1));
    this._child.once('exit', (code, signal) => {
      // What it said at last may still be on its way.
      setImmediate(() => {
        if (this._isDone) return;
        if (signal !== null) process.kill(process.pid, signal);
        else process.exit(code);
      });
    });
  }

  give(headers, event) {
    this._orders.write(`${JSON.stringify(headers)}\n`);
    this._orders.end(event);
  }

  // The next thing that it says. If it ends instead, so does this process: the host sees no
  // other.
  next() {
    if (this._frames.length > 0) return Promise.resolve(this._frames.shift());
    return new Promise((resolve) => {
      this._waiting = resolve;
    });
  }

  kill() {
    this._isDone = true;
    try {
      process.kill(-this._child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  _receive(data) {
    this._received = Buffer.concat([this._received, data]);
    for (;;) {
      const lineEnd = this._received.indexOf('\n');
      if (lineEnd < 0) return;
      const [verdict, bytes] = this._received.latin1Slice(0, lineEnd).split(' ');
      const end = lineEnd + 1 + Number(bytes);
      if (this._received.length < end) return;
      const body = this._received.utf8Slice(lineEnd + 1, end);
      this._received = this._received.subarray(end);
      if (verdict !== 'ready') this._isDone = true;
      if (this._waiting === null) this._frames.push({ verdict, body });
      else {
        const waiting = this._waiting;
        this._waiting = null;
        waiting({ verdict, body });
      }
    }
  }
}

module.exports = { FreshInvoker };
