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
    this._births = mayKillAll ? new Births() : null;
  }

  tidy() {
    if (this._mayKillAll && this._births.mayHaveBeen()) {
      // One system call, which fails where there is nobody.
      if ((this._kept !== null || signal(-1, 0)) && this._killNew()) {
        // Whoever was killed may have given birth meanwhile.
        this._births.forget();
        if (!this._hasSaid) {
          this._hasSaid = true;
          say(KILLED);
        }
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

// Whether processes may have been started, from the last process number that the namespace has
// given away. To ask for every process, as `kill` does, is slower the more the host runs.
class Births {
  constructor() {
    this._last = null;
    this._buffer = Buffer.alloc(128);
    try {
      this._fd = fs.openSync('/proc/loadavg', 'r');
    } catch {
      this._fd = -1;
    }
    // gVisor says nothing but zeros.
    if (this._fd >= 0 && !(Number(this._read()) >= process.pid)) {
      fs.closeSync(this._fd);
      this._fd = -1;
    }
  }

  // Since the last time.
  mayHaveBeen() {
    if (this._fd < 0) return true;
    const before = this._last;
    this._last = this._read();
    return this._last === null || this._last !== before;
  }

  forget() {
    this._last = null;
  }

  _read() {
    try {
      const length = fs.readSync(this._fd, this._buffer, 0, this._buffer.length, 0);
      const text = this._buffer.latin1Slice(0, length);
      const number = text.slice(text.lastIndexOf(' ') + 1).trim();
      return /^\d+$/.test(number) ? number : null;
    } catch {
      // The function has closed it.
      return null;
    }
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

module.exports = { Births, Tidier, clearTmp };
