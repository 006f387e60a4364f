'use strict';
// The process of one invocation: loads the code, waits for headers and event, answers, ends.

const fs = require('fs');
const { Invoker } = require('./invoker.js');
const errors = require('./errors.js');
const loader = require('./loader.js');

const ORDER_FD = 3;
const ANSWER_FD = 4;

// Blocks while there is nothing: until it is called, the process stands still.
class Orders {
  constructor() {
    this._parts = [];
    this._buffer = Buffer.allocUnsafe(65_536);
  }

  line() {
    for (;;) {
      const data = Buffer.concat(this._parts);
      const end = data.indexOf('\n');
      if (end >= 0) {
        this._parts = [data.subarray(end + 1)];
        return data.utf8Slice(0, end);
      }
      // The bootstrap has ended.
      if (!this._read()) process.exit(0);
    }
  }

  rest() {
    while (this._read());
    fs.closeSync(ORDER_FD);
    return Buffer.concat(this._parts);
  }

  _read() {
    const count = fs.readSync(ORDER_FD, this._buffer);
    this._parts.push(Buffer.from(this._buffer.subarray(0, count)));
    return count > 0;
  }
}

function say(verdict, body) {
  const frame = Buffer.from(`${verdict} ${Buffer.byteLength(body)}\n${body}`);
  for (let written = 0; written < frame.length; ) {
    written += fs.writeSync(ANSWER_FD, frame, written);
  }
}

// What the invoker knows of a connection.
const answers = {
  onAnswer: null,
  keepAlive() {},
  send() {},
  post(target, body) {
    say(target.slice(target.lastIndexOf('/') + 1), body);
    process.exit(0);
  },
};

async function main() {
  require('./streams.js').prepareStreams();
  const orders = new Orders();
  const { config, taskRoot } = JSON.parse(orders.line());
  let invoker = null;
  // As in a process that serves on: what nobody caught is reported, and then the process ends.
  const crash = (report) => {
    say(invoker === null ? 'failed' : 'error', report);
    process.exit(1);
  };
  process.on('uncaughtException', (error, origin) => {
    if (origin === 'uncaughtException') crash(errors.reportThrown(error));
  });
  process.on('unhandledRejection', (reason) => crash(errors.reportRejection(reason)));
  let handler;
  try {
    handler = await loader.loadHandler(config.handler, taskRoot);
  } catch (error) {
    crash(errors.reportThrown(error));
  }
  say('ready', '');
  invoker = new Invoker(answers, config, handler, { tidy() {} });
  invoker.start('');
  const headers = JSON.parse(orders.line());
  answers.onAnswer(headers, orders.rest());
}

main();
