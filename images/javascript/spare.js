'use strict';
// Preloaded into the process of a script: boots Node up to the script, then waits for its
// order. Node itself loads the script after this, so that to the script all is as it always is.

const ORDER_FD = 3;

function waitForOrder() {
  const fs = require('fs');
  const parts = [];
  const buffer = Buffer.allocUnsafe(65_536);
  let count;
  while ((count = fs.readSync(ORDER_FD, buffer)) > 0) {
    parts.push(Buffer.from(buffer.subarray(0, count)));
  }
  fs.closeSync(ORDER_FD);
  // Without an order, the bootstrap has ended.
  if (parts.length === 0) process.exit(0);
  const [args, env] = JSON.parse(Buffer.concat(parts).toString());
  process.argv.push(...args);
  Object.assign(process.env, env);
}

// The workers of a script preload this file too.
if (require('worker_threads').isMainThread) {
  // Children that the script forks must not.
  process.execArgv.splice(process.execArgv.indexOf('--require'), 2);
  require('./streams.js').prepareStreams();
  // Loaded now, because every script needs it.
  require('module');
  waitForOrder();
  delete require.cache[require.resolve('./streams.js')];
  delete require.cache[__filename];
}
