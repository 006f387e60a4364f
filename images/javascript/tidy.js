'use strict';
// Makes a sandbox quiet between two invocations: ends what a handler has left running, and
// empties /tmp where that is asked for.

const fs = require('fs');

const SIGKILL = 9;

// It comes with the output of the next invocation, which may be the one to miss them.
const KILLED =
  'lambda: processes that the previous invocation left running were killed. To keep a pool of ' +
  'processes, start it when the module is loaded, or set keep_processes.\n';

// Made when the function is initialised: what runs by then is kept.
class Tidier {
  constructor(mayKillAll, clearsTmp, tells = true) {
    this._mayKillAll = mayKillAll;
    this._clearsTmp = clearsTmp;
    this._kept = mayKillAll && signal(-1, 0) ? others() : null;
    this._hasSaid = !tells;
  }

  tidy() {
    if (this._mayKillAll) {
      // One system call, which fails where there is nobody: the usual case.
      if ((this._kept !== null || signal(-1, 0)) && this._killNew() && !this._hasSaid) {
        this._hasSaid = true;
        say(KILLED);
      }
    }
    if (this._clearsTmp) clearTmp();
  }

  // Whether there was somebody to kill.
  _killNew() {
    let hasKilled = false;
    // A process that is killed takes its time to die. What lives after all of these
    // milliseconds is killed again after the next invocation.
    for (const pause of [0, 1, 2, 5, 10, 20, 50]) {
      if (pause > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
      const alive = [...others()].filter((pid) => !this._kept?.has(pid) && isAlive(pid));
      if (alive.length === 0) break;
      hasKilled = true;
      // All at once where none is to be kept: none of them can start another meanwhile.
      if (this._kept === null) signal(-1, SIGKILL);
      else for (const pid of alive) signal(pid, SIGKILL);
    }
    return hasKilled;
  }
}

function say(text) {
  try {
    fs.writeSync(2, text);
  } catch {
    // Closed by the function.
  }
}

// A zombie has no command line; the event loop reaps it later.
function isAlive(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1') !== '';
  } catch {
    return false;
  }
}

// Whether there was somebody to get it. `process.kill` would make an error, which takes longer
// than all the rest.
function signal(pid, number) {
  if (typeof process._kill === 'function') return process._kill(pid, number) === 0;
  try {
    process.kill(pid, number);
    return true;
  } catch {
    return false;
  }
}

// All processes but this one and init.
function others() {
  const pids = new Set(fs.readdirSync('/proc').map(Number));
  pids.delete(NaN);
  pids.delete(1);
  pids.delete(process.pid);
  return pids;
}

function clearTmp() {
  for (const name of fs.readdirSync('/tmp')) {
    try {
      fs.rmSync(`/tmp/${name}`, { recursive: true, force: true });
    } catch {
      // Taken away by somebody else.
    }
  }
}

module.exports = { Tidier, clearTmp };
