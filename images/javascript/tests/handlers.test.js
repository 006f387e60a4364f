'use strict';
// Handler functions: results, failures, output, the context.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Host, zipOf, waitUntil, isRunning, ARN } = require('./host.js');

async function start(t, code, options) {
  const host = await Host.start();
  t.after(() => host.stop());
  return host.init(code, options);
}

async function invoke(t, code, event, options) {
  return (await start(t, code, options)).invoke(event);
}

// The report of an invocation that must fail.
async function failure(t, code, event) {
  const answer = await invoke(t, code, event);
  assert.equal(answer.verdict, 'error', answer.body);
  return answer.result;
}

async function initFailure(t, code, options) {
  const host = await Host.start();
  t.after(() => host.stop());
  const report = await host.initError(code, options);
  assert.deepEqual(Object.keys(report), ['errorType', 'errorMessage', 'trace']);
  report.trace = report.trace.map((line) => line.replaceAll(host.taskRoot, '/var/task'));
  report.errorMessage = report.errorMessage.replaceAll(host.taskRoot, '/var/task');
  return report;
}

describe('results', () => {
  const handlers = {
    'async, CommonJS': 'exports.handler = async (event) => ({ event, calls: ++calls }); let calls = 0;',
    'sync, CommonJS': 'let calls = 0; module.exports.handler = (event) => ({ event, calls: ++calls });',
    'async, ES module': 'let calls = 0; export const handler = async (event) => ({ event, calls: ++calls });',
    'top-level await': `import fs from 'node:fs'; let calls = await 0;
      export async function handler(event) { return { event, calls: ++calls }; }`,
    'callback': 'let calls = 0; exports.handler = (event, context, callback) => callback(null, { event, calls: ++calls });',
    'late callback': `let calls = 0; exports.handler = (event, context, callback) => {
      setTimeout(callback, 5, null, { event, calls: ++calls }); };`,
    'thenable': 'let calls = 0; exports.handler = (event) => ({ then(ok) { ok({ event, calls: ++calls }); } });',
  };
  for (const [name, code] of Object.entries(handlers)) {
    test(`${name}: a handler answers again and again`, async (t) => {
      const host = await start(t, code);
      for (const calls of [1, 2, 3]) {
        const answer = await host.invoke({ n: calls });
        assert.equal(answer.verdict, 'response', answer.body);
        assert.deepEqual(answer.result, { event: { n: calls }, calls });
        assert.equal(answer.headers['content-type'], 'application/json');
      }
    });
  }

  test('what looks like an ES module but is none', async (t) => {
    const code = `#!/usr/bin/env node
      // import x from 'y';
      const text = \`
export default 5\`;
      exports.handler = async () => { await null; return text.length; };`;
    assert.equal((await invoke(t, code)).result, 17);
  });

  test('only await at the top level', async (t) => {
    const code = "await null; globalThis.x = import.meta.url; export const handler = async () => x;";
    assert.match((await invoke(t, code)).result, /app\.mjs$/);
  });

  test('unicode and lone surrogates', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => event;');
    const text = 'grüß 你好 😀 \0 \u2028';
    assert.deepEqual((await host.invoke({ text })).result, { text });
    assert.deepEqual((await host.invoke({ text: '\ud800' })).result, { text: '\ud800' });
  });

  test('an empty body is an empty event', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => event;');
    host.sendEvent('');
    assert.deepEqual((await host.receiveAnswer()).result, {});
  });

  test('messages in pieces', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => event.length;');
    const { connection } = host;
    const body = JSON.stringify('ü'.repeat(200_000));
    host.connection = {
      write(data) {
        data = Buffer.from(data);
        for (let at = 0; at < 200; at++) connection.write(data.subarray(at, at + 1));
        for (let at = 200; at < data.length; at += 70_001) {
          connection.write(data.subarray(at, at + 70_001));
        }
      },
      destroy: () => connection.destroy(),
    };
    host.sendEvent(body);
    assert.equal((await host.receiveAnswer()).result, 200_000);
    await host.receive();
    host.accept();
    assert.equal((await host.invoke('y')).result, 1);
  });

  // The bootstrap reads into a buffer of 64 KiB.
  test('messages about as long as the buffer', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => event.length;');
    for (let length = 65_536 - 320; length < 65_536 - 260; length++) {
      assert.equal((await host.invoke('x'.repeat(length))).result, length);
    }
  });

  test('large events and results', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => event;');
    const event = 'x'.repeat(6_000_000);
    assert.equal((await host.invoke(event)).result, event);
    const wide = 'ü'.repeat(1_000_000);
    assert.equal((await host.invoke(wide)).result, wide);
  });

  test('the largest result', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => "x".repeat(event);');
    assert.equal((await host.invoke(6_291_554)).verdict, 'response');
    const answer = await host.invoke(6_291_555);
    assert.equal(answer.verdict, 'error');
    assert.equal(answer.result.errorType, 'Function.ResponseSizeTooLarge');
    assert.equal(
      answer.result.errorMessage,
      'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    );
    assert.equal((await host.invoke(1)).result, 'x');
  });

  test('undefined is null', async (t) => {
    for (const code of [
      'exports.handler = async () => {};',
      'exports.handler = () => {};',
      'exports.handler = (event, context, callback) => callback();',
      'exports.handler = (event, context, callback) => {};',
    ]) {
      const answer = await invoke(t, code);
      assert.deepEqual([answer.verdict, answer.body], ['response', 'null'], code);
    }
  });
});

describe('callbacks and the event loop', () => {
  test('a callback waits for the event loop to be empty', async (t) => {
    const code = `exports.handler = (event, context, callback) => {
      setTimeout(() => console.log('timer'), 30); callback(null, 1); };`;
    assert.equal((await invoke(t, code)).stdout, 'timer\n');
  });

  test('or not', async (t) => {
    const code = `exports.handler = (event, context, callback) => {
      context.callbackWaitsForEmptyEventLoop = false;
      setInterval(() => {}, 1000); callback(null, 1); };`;
    const host = await start(t, code);
    assert.equal((await host.invoke()).result, 1);
    assert.equal((await host.invoke()).result, 1);
  });

  test('only the first answer counts', async (t) => {
    const code = `exports.handler = (event, context, callback) => {
      callback(null, 1); callback(null, 2); callback(new Error()); };`;
    const host = await start(t, code);
    assert.equal((await host.invoke()).result, 1);
    assert.equal((await host.invoke()).result, 1);
  });

  test('timers go on between invocations', async (t) => {
    const host = await start(
      t,
      'let ticks = 0; setInterval(() => ticks++, 1); exports.handler = async () => ticks;',
    );
    await waitUntil(async () => (await host.invoke()).result > 3);
  });

  test('a promise that can never settle', async (t) => {
    const host = await start(t, 'exports.handler = () => new Promise(() => {});');
    for (let i = 0; i < 2; i++) {
      assert.equal((await host.invoke()).result.errorType, 'Runtime.NodeJsExit');
    }
  });
});

describe('the context', () => {
  test('fields', async (t) => {
    const code = `exports.handler = async (event, context) => {
      const { getRemainingTimeInMillis } = context;
      return { ...context, left: getRemainingTimeInMillis() }; };`;
    const { result } = await invoke(t, code);
    assert.ok(result.left > 0 && result.left <= 5000, result.left);
    delete result.left;
    assert.deepEqual(result, {
      callbackWaitsForEmptyEventLoop: true,
      functionVersion: '7',
      functionName: 'fn',
      memoryLimitInMB: '128',
      logGroupName: '/aws/lambda/fn',
      logStreamName: 'stream',
      invokedFunctionArn: ARN,
      awsRequestId: '0190a6b0-0000-7000-8000-000000000001',
    });
  });

  test('environment', async (t) => {
    const code = `const atImport = process.env.COLOUR;
      exports.handler = async () => ({ env: process.env, cwd: process.cwd(), atImport,
        hours: new Date(0).getHours(), stdin: require('fs').readFileSync(0, 'utf8') });`;
    const host = await start(t, code, { env: { COLOUR: 'blue', HOME: '/home' } });
    const { result } = await host.invoke();
    const expected = {
      COLOUR: 'blue',
      HOME: '/home',
      TZ: ':UTC',
      LAMBDA_TASK_ROOT: host.taskRoot,
      AWS_LAMBDA_FUNCTION_NAME: 'fn',
      AWS_LAMBDA_FUNCTION_VERSION: '7',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/fn',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
      _HANDLER: 'app.handler',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(result.env[name], value);
    assert.ok(result.env.LAMBDA_RUNTIME_DIR);
    assert.deepEqual(
      [result.cwd, result.atImport, result.hours, result.stdin],
      [host.taskRoot, 'blue', 0, ''],
    );
  });

  test('time zone', async (t) => {
    const code = 'exports.handler = async () => new Date(0).getHours();';
    assert.equal((await invoke(t, code, {}, { env: { TZ: 'Asia/Tokyo' } })).result, 9);
  });

  test('the trace id follows the invocation', async (t) => {
    const host = await start(t, 'exports.handler = async () => process.env._X_AMZN_TRACE_ID;');
    const headers = ['Lambda-Runtime-Trace-Id: Root=1'];
    assert.equal((await host.invoke({}, { headers })).result, 'Root=1');
    assert.equal((await host.invoke()).result, null);
  });

  test('the traceparent follows the invocation', async (t) => {
    const code = 'exports.handler = async (event, context) => context.traceparent;';
    for (const options of [{}, { fresh_process: true }]) {
      const host = await start(t, code, options);
      const headers = ['Lambda-Runtime-Traceparent: 00-1-2-01'];
      assert.equal((await host.invoke({}, { headers })).result, '00-1-2-01');
      assert.equal((await host.invoke()).result, null);
    }
  });
});

describe('failures', () => {
  test("an exception shows only the user's frames", async (t) => {
    for (const prefix of ['', 'async ']) {
      const host = await start(
        t,
        `exports.handler = ${prefix}() => {\n  return inner();\n};\nfunction inner() {\n  throw new TypeError('boom');\n}\n`,
      );
      const file = path.join(host.taskRoot, 'app.js');
      const { verdict, result } = await host.invoke();
      assert.equal(verdict, 'error');
      assert.deepEqual(result, {
        errorType: 'TypeError',
        errorMessage: 'boom',
        trace: [
          'TypeError: boom',
          `    at inner (${file}:5:9)`,
          `    at exports.handler (${file}:2:10)`,
        ],
      });
      assert.equal((await host.invoke()).verdict, 'error', 'the sandbox lives on');
    }
  });

  test('frames after an await', async (t) => {
    const report = await failure(
      t,
      `export const handler = async () => { await new Promise((ok) => setTimeout(ok, 1)); await f(); };
       async function f() { await null; throw new RangeError('late'); }`,
    );
    assert.equal(report.errorType, 'RangeError');
    assert.equal(report.trace.length, 3, report.trace.join('\n'));
    assert.ok(report.trace.every((line) => !line.includes('node:internal')));
  });

  test('a callback with an error', async (t) => {
    const report = await failure(
      t,
      'exports.handler = (event, context, callback) => callback(new RangeError("no"));',
    );
    assert.deepEqual([report.errorType, report.errorMessage], ['RangeError', 'no']);
    const text = await failure(
      t,
      'exports.handler = (event, context, callback) => callback("no");',
    );
    assert.deepEqual(text, { errorType: 'string', errorMessage: 'no', trace: [] });
  });

  test('throws that are no errors', async (t) => {
    for (const [thrown, type, message] of [
      ['"text"', 'string', 'text'],
      ['null', 'null', 'null'],
      ['undefined', 'undefined', 'undefined'],
      ['5', 'number', '5'],
      ['{ a: 1 }', 'object', '{ a: 1 }'],
      ['Object.create(null)', 'object', '<unprintable object>'],
      ['Symbol("s")', 'symbol', 'Symbol(s)'],
    ]) {
      for (const prefix of ['', 'async ']) {
        const report = await failure(t, `exports.handler = ${prefix}() => { throw ${thrown}; };`);
        assert.deepEqual(report, { errorType: type, errorMessage: message, trace: [] });
      }
    }
  });

  test('errors that cannot be read', async (t) => {
    const report = await failure(
      t,
      `exports.handler = async () => { throw Object.defineProperties(new Error(), {
        stack: { get() { throw 1; } }, name: { get() { throw 1; } }, message: { get() { throw 1; } } }); };`,
    );
    assert.deepEqual(report, { errorType: 'Error', errorMessage: '<unprintable object>', trace: [] });
  });

  test('surrogates in a message', async (t) => {
    const report = await failure(t, 'exports.handler = async () => { throw Error("a\\ud800b"); };');
    assert.equal(report.errorMessage, 'a\ufffdb');
  });

  test('a huge message is cut', async (t) => {
    const answer = await invoke(
      t,
      'exports.handler = async () => { throw Error("\\0".repeat(20_000_000)); };',
    );
    assert.ok(answer.body.length < 256 * 1024);
    assert.ok(answer.result.errorMessage.endsWith('... (truncated)'));
  });

  test('deep recursion', async (t) => {
    const report = await failure(t, 'exports.handler = function f() { return 1 + f(); };');
    assert.deepEqual(
      [report.errorType, report.errorMessage],
      ['RangeError', 'Maximum call stack size exceeded'],
    );
  });

  test('results that are not JSON', async (t) => {
    for (const [expression, reason] of [
      ['5n', 'BigInt'],
      ['() => {}', 'function'],
      ['Symbol()', 'symbol'],
      ['(() => { const c = {}; c.c = c; return c; })()', 'circular'],
      ['{ toJSON() { throw new Error("mine"); } }', 'mine'],
      ['(() => { let n = []; for (let i = 0; i < 1e5; i++) n = [n]; return n; })()', 'call stack'],
    ]) {
      const report = await failure(t, `exports.handler = async () => (${expression});`);
      assert.equal(report.errorType, 'Runtime.MarshalError');
      assert.match(report.errorMessage, /^Unable to stringify response body: /);
      assert.ok(report.errorMessage.includes(reason), report.errorMessage);
    }
  });

  test('an event that is not JSON', async (t) => {
    const host = await start(t, 'exports.handler = async (event) => event;');
    host.sendEvent('{nope');
    assert.equal((await host.receiveAnswer()).result.errorType, 'Runtime.UnmarshalError');
  });
});

describe('endings', () => {
  const end = async (t, code) => (await start(t, code)).invokeUntilEnd();

  test('exits keep their code and the output', async (t) => {
    for (const [statement, code] of [
      ['process.exit(3)', 3],
      ['process.exit()', 0],
      ['process.exitCode = 4; process.exit()', 4],
    ]) {
      const { status, report, stdout } = await end(
        t,
        `exports.handler = async () => { process.stdout.write('bye'); ${statement}; };`,
      );
      assert.deepEqual([status, report, stdout], [code, null, 'bye'], statement);
    }
  });

  test('a signal', async (t) => {
    const { status, stdout } = await end(
      t,
      "exports.handler = async () => { console.log('last'); process.kill(process.pid, 'SIGSEGV'); await new Promise((ok) => setTimeout(ok, 1e6)); };",
    );
    assert.deepEqual([status, stdout], ['SIGSEGV', 'last\n']);
  });

  test('an uncaught exception is reported, then the process exits with 1', async (t) => {
    const { status, report } = await end(
      t,
      "exports.handler = () => new Promise(() => setTimeout(() => { throw new RangeError('late'); }, 1));",
    );
    assert.equal(status, 1);
    assert.deepEqual([report.result.errorType, report.result.errorMessage], ['RangeError', 'late']);
    assert.equal(report.result.trace.length, 2, report.result.trace.join('\n'));
  });

  test('an unhandled rejection is reported, then the process exits with 1', async (t) => {
    const { status, report } = await end(
      t,
      "exports.handler = async () => { Promise.reject(new TypeError('lost')); await new Promise((ok) => setTimeout(ok, 1e6)); };",
    );
    assert.equal(status, 1);
    assert.equal(report.result.errorType, 'Runtime.UnhandledPromiseRejection');
    assert.equal(report.result.errorMessage, 'TypeError: lost');
  });

  test('a crash between invocations', async (t) => {
    const host = await start(
      t,
      'exports.handler = async () => { setTimeout(() => { throw new Error("idle"); }, 20); };',
    );
    assert.equal((await host.invoke()).verdict, 'response');
    assert.equal(await host.within(host.exited, 'exit'), 1);
    assert.match(host.stderr.take(), /Uncaught between invocations: Error: idle/);
  });

  test('the bootstrap ends with the connection', async (t) => {
    const host = await start(t, 'setInterval(() => {}, 1000); exports.handler = async () => 1;');
    host.connection.destroy();
    await host.within(host.exited, 'exit');
  });
});

describe('output', () => {
  test('has arrived with the answer', async (t) => {
    const host = await start(
      t,
      `const { execSync } = require('child_process');
       exports.handler = async () => {
         process.stdout.write('unfinished');
         execSync('echo " child"', { stdio: 'inherit' });
         require('fs').writeSync(2, 'raw ');
         process.stdout.write('');
         console.error('é end');
       };`,
    );
    for (let i = 0; i < 20; i++) {
      const { stdout, stderr } = await host.invoke();
      assert.deepEqual([stdout, stderr], ['unfinished child\n', 'raw é end\n']);
    }
  });

  test('a megabyte of lines', async (t) => {
    const host = await start(
      t,
      'exports.handler = async () => { for (let i = 0; i < 20_000; i++) console.log("x".repeat(49)); };',
    );
    // The drain of this host shares a thread with its other work.
    host.sendEvent('{}');
    let text = '';
    await waitUntil(() => (text += host.stdout.take()).length === 1_000_000);
    assert.equal((await host.receiveAnswer()).stdout, '');
  });

  test('one write of a megabyte', async (t) => {
    const host = await start(
      t,
      'exports.handler = async () => { process.stdout.write("x".repeat(1_000_000)); process.stdout.write("end"); };',
    );
    host.sendEvent('{}');
    assert.equal((await host.receiveAnswer()).stdout.length, 1_000_003);
  });

  test('is live', async (t) => {
    const host = await start(
      t,
      'exports.handler = async () => { console.log("now"); await new Promise((ok) => setTimeout(ok, 1e6)); };',
    );
    host.sendEvent('{}');
    await waitUntil(() => host.stdout.take() === 'now\n');
  });

  test('of a failure', async (t) => {
    const answer = await invoke(
      t,
      'exports.handler = async () => { process.stdout.write("before"); throw 1; };',
    );
    assert.deepEqual([answer.verdict, answer.stdout], ['error', 'before']);
  });
});

describe('processes', () => {
  test('children do not get the connection', async (t) => {
    const code = `const fs = require('fs');
      exports.handler = async () => {
        const sockets = fs.readdirSync('/proc/self/fd')
          .map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } })
          .filter((link) => link.startsWith('socket:'));
        const listing = require('child_process').execSync('ls -l /proc/self/fd').toString();
        return [sockets.length > 0, sockets.some((socket) => listing.includes(socket))];
      };`;
    assert.deepEqual((await invoke(t, code)).result, [true, false]);
  });

  test('a child may outlive the call', async (t) => {
    const code = `const { spawn } = require('child_process');
      exports.handler = async () => spawn('sleep', ['60'], { stdio: 'ignore', detached: true }).pid;`;
    const { result: pid } = await invoke(t, code);
    t.after(() => process.kill(pid));
    assert.ok(isRunning(pid));
  });

  test('worker threads', async (t) => {
    const code = `const { Worker } = require('worker_threads');
      exports.handler = async () => new Promise((ok) =>
        new Worker('require("worker_threads").parentPort.postMessage(5)', { eval: true }).on('message', ok));`;
    assert.equal((await invoke(t, code)).result, 5);
  });
});

describe('loading', () => {
  const result = async (t, code, options) => (await invoke(t, code, {}, options)).result;

  test('handler names', async (t) => {
    const code = 'exports.handler = async () => __filename; exports.a = { b: exports.handler };';
    for (const [handler, file] of [
      ['app.handler', 'app.js'],
      ['pkg/mod.handler', 'pkg/mod.js'],
      ['./app.handler', 'app.js'],
      ['app.a.b', 'app.js'],
    ]) {
      assert.ok((await result(t, code, { handler })).endsWith(`/task/${file}`), handler);
    }
  });

  test('extensions, packages and the type in package.json', async (t) => {
    const cjs = 'exports.handler = async () => ["cjs", require("dep")];';
    const mjs = 'import dep from "dep"; export const handler = async () => ["mjs", dep];';
    const dep = {
      'node_modules/dep/package.json': '{"main": "lib/main.js"}',
      'node_modules/dep/lib/main.js': 'module.exports = 7;',
    };
    for (const [files, handler, kind] of [
      [{ 'app.js': cjs }, 'app.handler', 'cjs'],
      [{ 'app.cjs': cjs }, 'app.handler', 'cjs'],
      [{ 'app.mjs': mjs }, 'app.handler', 'mjs'],
      [{ 'app.js': mjs, 'package.json': '{"type": "module"}' }, 'app.handler', 'mjs'],
      [{ 'app.js': cjs, 'package.json': '{"type": "commonjs"}' }, 'app.handler', 'cjs'],
      [{ 'a/app.js': cjs, 'a/package.json': '{}', 'package.json': '{"type": "module"}' }, 'a/app.handler', 'cjs'],
      [{ 'pkg/mod.js': cjs }, 'pkg.mod.handler', 'cjs'],
      [{ 'pkg.mod.js': cjs }, 'pkg.mod.handler', 'cjs'],
      [{ 'app/index.js': cjs }, 'app.handler', 'cjs'],
    ]) {
      for (const isStored of [false, true]) {
        const zip = zipOf({ ...files, ...dep }, { isStored });
        assert.deepEqual(await result(t, zip, { handler, format: 'zip' }), [kind, 7]);
      }
    }
  });

  test('a directory', async (t) => {
    const host = await Host.start();
    t.after(() => host.stop());
    fs.writeFileSync(path.join(host.taskRoot, 'app.js'), 'exports.handler = async () => "there";');
    await host.init('', { format: 'directory' });
    assert.equal((await host.invoke()).result, 'there');
  });

  test('executable files', async (t) => {
    const zip = zipOf(
      { 'app.js': 'exports.handler = async () => require("child_process").execSync("./run.sh").toString()', 'run.sh': '#!/bin/sh\necho ran\n' },
      { mode: 0o100755 },
    );
    assert.equal(await result(t, zip, { format: 'zip' }), 'ran\n');
  });

  test('zips that are refused', async (t) => {
    const good = zipOf({ 'app.js': 'x'.repeat(1000) });
    const damaged = Buffer.from(good);
    damaged.fill(0xff, 36, 46);
    for (const zip of [
      zipOf({ '../evil.js': '' }),
      zipOf({ '/evil.js': '' }),
      zipOf({ 'a/../../evil.js': '' }),
      zipOf({ 'a\\b.js': '' }),
      zipOf({ 'link.js': '/etc/passwd' }, { mode: 0o120777 }),
      Buffer.from('PK nonsense'),
      good.subarray(0, -10),
      damaged,
    ]) {
      const report = await initFailure(t, zip, { format: 'zip' });
      assert.equal(report.errorType, 'Runtime.InvalidCode', report.errorMessage);
    }
  });

  test('missing modules', async (t) => {
    for (const [code, what] of [
      ['const x = require("nope");', 'nope'],
      ['import x from "nope"; export const handler = x;', 'nope'],
      ['import x from "./nope.js"; export const handler = x;', 'nope.js'],
    ]) {
      const report = await initFailure(t, code);
      assert.equal(report.errorType, 'Runtime.ImportModuleError');
      assert.match(report.errorMessage, /^Error: Cannot find (module|package)/);
      assert.ok(report.errorMessage.includes(what));
      assert.ok(!report.errorMessage.includes('bootstrap.js'));
      assert.ok(!report.trace.join().includes('loader.js'), report.trace.join('\n'));
    }
    const report = await initFailure(t, zipOf({ 'other.js': '' }), { format: 'zip' });
    assert.deepEqual(
      [report.errorType, report.errorMessage],
      ['Runtime.ImportModuleError', "Error: Cannot find module 'app'"],
    );
  });

  test('syntax errors name the line', async (t) => {
    const common = await initFailure(t, 'const a = 1;\nexports.handler = (;\n');
    assert.equal(common.errorType, 'Runtime.UserCodeSyntaxError');
    assert.equal(common.errorMessage, "SyntaxError: Unexpected token ';'");
    assert.equal(common.trace[0], '/var/task/app.js:2');
    const module_ = await initFailure(t, 'import "fs";\nexport const handler = (;\n');
    assert.equal(module_.errorType, 'Runtime.UserCodeSyntaxError');
    assert.equal(module_.errorMessage, "SyntaxError: Unexpected token ';'");
    assert.match(module_.trace[0], /\/var\/task\/app\.mjs:2$/);
  });

  test('missing handlers', async (t) => {
    for (const [code, message] of [
      ['exports.x = 1;', 'app.handler is undefined or not exported'],
      ['export const x = 1;', 'app.handler is undefined or not exported'],
      ['exports.handler = 5;', 'app.handler is not a function'],
    ]) {
      const report = await initFailure(t, code);
      assert.deepEqual([report.errorType, report.errorMessage], ['Runtime.HandlerNotFound', message]);
    }
  });

  test('malformed handlers', async (t) => {
    for (const handler of ['handler', '.handler', 'app.', '../app.handler', '/app.handler', '']) {
      const report = await initFailure(t, 'exports.handler = 1;', { handler });
      assert.equal(report.errorType, 'Runtime.MalformedHandlerName', handler);
    }
  });

  test('exceptions while loading', async (t) => {
    for (const code of [
      'function f() { throw new RangeError("disk"); }\nf();',
      'export const handler = 1;\nfunction f() { throw new RangeError("disk"); }\nf();',
    ]) {
      const report = await initFailure(t, code);
      assert.deepEqual([report.errorType, report.errorMessage], ['RangeError', 'disk']);
      assert.equal(report.trace.length, 3, report.trace.join('\n'));
    }
    const rejection = await initFailure(
      t,
      'Promise.reject(new TypeError("x")); await new Promise((ok) => setTimeout(ok, 1e6)); export {};',
    );
    assert.equal(rejection.errorType, 'Runtime.UnhandledPromiseRejection');
    const thrown = await initFailure(t, 'throw null;');
    assert.deepEqual(thrown, { errorType: 'null', errorMessage: 'null', trace: [] });
  });

  test('output of a failed load is kept', async (t) => {
    const host = await Host.start();
    t.after(() => host.stop());
    await host.initError('process.stdout.write("a"); process.stderr.write("b"); throw 1;');
    assert.deepEqual([host.stdout.take(), host.stderr.take()], ['a', 'b']);
  });

  test('an exit while loading', async (t) => {
    const host = await Host.start();
    t.after(() => host.stop());
    await host.receive();
    host.sendInit('console.log("x"); process.exit(7);');
    assert.equal(await host.within(host.exited, 'exit'), 7);
    assert.equal(host.stdout.take(), 'x\n');
  });

  test('a sandbox may wait for its code', async (t) => {
    const host = await Host.start();
    t.after(() => host.stop());
    await host.expect('GET /lambda/v1/init HTTP/1.1');
    // Asleep: everything that can be done ahead has been done.
    await waitUntil(() => / S /.test(fs.readFileSync(`/proc/${host.process.pid}/stat`, 'utf8')));
    host.sendInit('exports.handler = async () => 1;');
    await host.receive();
    assert.equal((await host.invoke()).result, 1);
  });
});
