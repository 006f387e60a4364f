'use strict';
// Runs script functions: each execution in a Node process that was started before it was needed.

const { spawn } = require('child_process');
const { constants } = require('os');
const path = require('path');
const errors = require('./errors.js');

// Spares that die while they wait are replaced; at some point something is wrong.
const ATTEMPTS = 3;

// Keeps one spare process ready and gives it what to run.
//
// A spare is a Node that has booted up to the script, in a session of its own. It waits for
// its order, args and environment, at a pipe (see spare.js).
class Runner {
  constructor(connection, file, { mayKillAll, clearsTmp }) {
    this._connection = connection;
    this._file = file;
    this._mayKillAll = mayKillAll;
    this._clearsTmp = clearsTmp;
    this._getNext = '';
    this._spare = null;
  }

  start(getNext) {
    this._getNext = getNext;
    this._connection.onAnswer = (headers, args) => {
      const id = headers['lambda-runtime-aws-request-id'];
      const env = JSON.stringify({
        // What is undefined is left out.
        TRACEPARENT: headers['lambda-runtime-traceparent'],
        _X_AMZN_TRACE_ID: headers['lambda-runtime-trace-id'],
      });
      this._run(id, `[${args.length === 0 ? '[]' : args.toString()},${env}]`);
    };
    this._connection.send(getNext);
    this._prepare(ATTEMPTS);
  }

  _prepare(attempts) {
    const child = spawn(
      process.execPath,
      [...process.execArgv, '--require', path.join(__dirname, 'spare.js'), this._file],
      { stdio: ['ignore', 'inherit', 'inherit', 'pipe'], detached: true },
    );
    const spare = { child, onEnd: null };
    this._spare = spare;
    const onEnd = (end) => {
      if (spare.onEnd !== null) {
        spare.onEnd(end);
      } else {
        this._spare = null;
        if (attempts > 1) this._prepare(attempts - 1);
      }
    };
    child.once('error', (error) => onEnd({ error }));
    child.once('exit', (code, signal) => onEnd({ code, signal }));
    // The spare may die before it reads; `exit` says so.
    child.stdio?.[3]?.on('error', () => {});
  }

  _run(id, order) {
    if (this._spare === null) this._prepare(1);
    const { child } = this._spare;
    this._spare.onEnd = ({ code, signal, error }) => {
      kill(-child.pid);
      // Also what has left the script's process group: all but this process and init.
      if (this._mayKillAll) kill(-1);
      if (this._clearsTmp) require('./tidy.js').clearTmp();
      if (error) this._reply(id, 'error', errors.reportThrown(error));
      else if (signal) this._reply(id, 'response', `{"signal": ${constants.signals[signal]}}`);
      else this._reply(id, 'response', `{"exit_code": ${code}}`);
    };
    this._spare = null;
    child.stdio?.[3]?.end(order);
  }

  _reply(id, verdict, body) {
    const bytes = Buffer.byteLength(body);
    this._connection.post(`invocation/${id}/${verdict}`, body, bytes, this._getNext);
    this._prepare(ATTEMPTS);
  }
}

// Ends what a script has left running.
function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Nothing was left.
  }
}

module.exports = { Runner };
