// The Node side of run.py: measures warm calls when it is told to.
//   worker.cjs DATA_DIR RUNTIME SOURCE
'use strict';
const { createInterface } = require('node:readline');

const { Platform } = require('../../bindings-node');

const EVENT = { name: 'Alice', numbers: [1, 2, 3] };
const [dataDir, runtime, code] = process.argv.slice(2);

async function median(count, call) {
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const began = process.hrtime.bigint();
    await call();
    times.push(Number(process.hrtime.bigint() - began) / 1e3);
  }
  return times.sort((a, b) => a - b)[count >> 1];
}

async function main() {
  const isFake = runtime === 'fake';
  const platform = await Platform.open({
    dataDir,
    runtimes: ['docker'],
    [Symbol.for('lambdabox.fake')]: isFake,
  });
  await platform.deploy({ name: 'echo', language: 'python', handler: 'case.handler', code });
  // Back from another thread, with nothing besides.
  const { crossing } = require(process.env.LAMBDABOX_NATIVE_LIBRARY);
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, count] = line.split(' ');
    if (what === 'burst') {
      const began = process.hrtime.bigint();
      await Promise.all(Array.from({ length: +count }, () => platform.invoke('echo', EVENT)));
      console.log(JSON.stringify({ call: Number(process.hrtime.bigint() - began) / 1e3 }));
      continue;
    }
    const call = await median(+count, () => platform.invoke('echo', EVENT));
    const wake = await median(+count, crossing);
    console.log(JSON.stringify({ call, wake }));
  }
  await platform.close();
}

main();
