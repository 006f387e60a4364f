'use strict';
// Script functions: each execution is a fresh process that behaves as `node main.js`.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { constants } = require('node:os');
const { describe, test } = require('node:test');
const { Host, zipOf, waitUntil, isRunning, OWN_NAMESPACE, canUnshare } = require('./host.js');

async function start(t, code, options) {
  const host = await Host.start();
  t.after(() => host.stop());
  return host.init(code, { handler: null, ...options });
}

async function run(t, code, ...args) {
  return (await start(t, code)).run(...args);
}

function childrenOf(pid) {
  const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

describe('scripts', () => {
  test('args, output and exit code', async (t) => {
    for (const code of [
      'console.log(`Hello, ${process.argv[2]}!`);',
      'import process from "node:process"; await null; console.log(`Hello, ${process.argv[2]}!`);',
    ]) {
      const host = await start(t, code);
      for (const name of ['Alice', '', 'grüß 😀']) {
        const { verdict, result, stdout, stderr } = await host.run(name);
        assert.deepEqual(
          [verdict, result, stdout, stderr],
          ['response', { exit_code: 0 }, `Hello, ${name}!\n`, ''],
        );
      }
    }
  });

  test('main is set up as by node', async (t) => {
    const code = `console.log(JSON.stringify([require.main === module, module.id, process.argv.slice(1),
      process.cwd(), __filename, process.execArgv, Object.keys(require.cache),
      require('fs').readFileSync(0, 'utf8')]));`;
    const host = await start(t, code);
    const { stdout } = await host.run('a', 'b c');
    const main = `${host.taskRoot}/main.js`;
    assert.deepEqual(JSON.parse(stdout), [
      true,
      '.',
      [main, 'a', 'b c'],
      host.taskRoot,
      main,
      ['--max-old-space-size=90'],
      [main],
      '',
    ]);
  });

  test('each execution is fresh', async (t) => {
    const code = `console.log(globalThis.x, process.env.X, process.env.COLOUR, process.pid);
      globalThis.x = process.env.X = 'dirty';`;
    const host = await start(t, code, { env: { COLOUR: 'blue' } });
    const pids = new Set();
    for (let i = 0; i < 3; i++) {
      const [x, env, colour, pid] = (await host.run()).stdout.trim().split(' ');
      assert.deepEqual([x, env, colour], ['undefined', 'undefined', 'blue']);
      pids.add(pid);
    }
    assert.equal(pids.size, 3);
  });

  test('exit codes', async (t) => {
    const host = await start(t, 'eval(process.argv[2]);');
    for (const [statement, code] of [
      ['process.exit(3)', 3],
      ['process.exitCode = 4', 4],
      ['process.on("exit", () => { process.exitCode = 5 })', 5],
      ['setTimeout(() => process.exit(6), 5)', 6],
      ['throw new Error()', 1],
      ['Promise.reject(new Error())', 1],
    ]) {
      assert.deepEqual((await host.run(statement)).result, { exit_code: code }, statement);
    }
  });

  test('a top-level await that never settles', async (t) => {
    const { result } = await run(t, 'export {}; await new Promise(() => {});');
    assert.deepEqual(result, { exit_code: 13 });
  });

  test('signals', async (t) => {
    const host = await start(
      t,
      'process.kill(process.pid, Number(process.argv[2])); setTimeout(() => {}, 1e6);',
    );
    for (const name of ['SIGTERM', 'SIGKILL', 'SIGSEGV', 'SIGINT']) {
      const number = constants.signals[name];
      assert.deepEqual((await host.run(String(number))).result, { signal: number });
    }
  });

  test('an uncaught exception', async (t) => {
    const host = await start(t, 'function f() {\n  throw new TypeError("boom");\n}\nf();');
    for (let i = 0; i < 2; i++) {
      const { result, stderr } = await host.run();
      assert.deepEqual(result, { exit_code: 1 });
      assert.ok(stderr.startsWith(`${host.taskRoot}/main.js:2\n  throw new TypeError("boom");\n`));
      assert.match(stderr, /TypeError: boom\n {4}at f /);
      assert.ok(!stderr.includes('spare.js'), stderr);
    }
  });

  test('a syntax error', async (t) => {
    for (const code of ['const a = 1;\nconst b = (;', 'import "fs";\nconst b = (;']) {
      const { result, stderr } = await run(t, code);
      assert.deepEqual(result, { exit_code: 1 });
      assert.match(stderr, /main\.m?js:2\nconst b = \(;/);
      assert.match(stderr, /SyntaxError: Unexpected token ';'/);
    }
  });

  test('what a script leaves running is killed', async (t) => {
    const code = `const { spawn } = require('child_process');
      const child = spawn('sh', ['-c', "trap '' TERM; sleep 600 & sleep 600"], { stdio: 'inherit' });
      console.log(child.pid);
      if (process.argv[2]) process.kill(process.pid, 'SIGKILL'); else process.exit();`;
    const host = await start(t, code);
    for (const args of [[], ['die']]) {
      const { stdout } = await host.run(...args);
      await waitUntil(() => !isRunning(Number(stdout)));
    }
  });

  const skip = !canUnshare() && 'needs the right to make a process namespace';
  test('strays that left the process group are killed where the host says so', { skip }, async (t) => {
    // Set inside the namespace only: outside, it would end all of this user's processes.
    const host = await Host.start({ wrapper: [...OWN_NAMESPACE, 'env', 'LAMBDA_KILL_STRAYS=1'] });
    t.after(() => host.stop());
    const code = `console.log(process.env.LAMBDA_KILL_STRAYS);
      require('child_process').spawn('sleep', ['4242'], { detached: true, stdio: 'ignore' }).unref();`;
    await host.init(code, { handler: null });
    for (let i = 0; i < 2; i++) {
      assert.equal((await host.run()).stdout, 'undefined\n');
      const [main] = childrenOf(host.process.pid);
      // The next spare only; here nobody reaps what was killed.
      await waitUntil(() => childrenOf(main).filter(isRunning).length <= 1);
    }
  });

  test('forked children and workers do not wait for an order', async (t) => {
    const files = {
      'main.js': `const { fork } = require('child_process');
        const { Worker } = require('worker_threads');
        fork(__dirname + '/child.js', ['forked']).on('exit', () => new Worker(__dirname + '/child.js', { argv: ['worker'] }));`,
      'child.js': 'console.log(process.argv[2]);',
    };
    const host = await start(t, zipOf(files), { format: 'zip' });
    assert.equal((await host.run()).stdout, 'forked\nworker\n');
  });

  test('no descriptors are left over', async (t) => {
    const code = `const fs = require('fs');
      const links = [0, 1, 2, 3].map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return 'none'; } });
      console.log(JSON.stringify(links));`;
    const links = JSON.parse((await run(t, code)).stdout);
    assert.equal(links[0], '/dev/null');
    assert.ok(links[1].endsWith('/stdout') && links[2].endsWith('/stderr'), links.join());
    assert.ok(!links[3].startsWith('socket:'), links.join());
  });

  test('one spare waits, and a dead one is replaced', async (t) => {
    const host = await start(t, 'console.log("ran");');
    const [spare] = await waitUntil(() => {
      const children = childrenOf(host.process.pid);
      return children.length === 1 && children;
    });
    process.kill(spare, 'SIGKILL');
    await waitUntil(() => {
      const children = childrenOf(host.process.pid);
      return children.length === 1 && children[0] !== spare;
    });
    const { result, stdout } = await host.run();
    assert.deepEqual([result, stdout], [{ exit_code: 0 }, 'ran\n']);
  });

  test('a spare ends with the bootstrap', async (t) => {
    const host = await start(t, 'console.log("ran");');
    const [spare] = await waitUntil(() => {
      const children = childrenOf(host.process.pid);
      return children.length === 1 && children;
    });
    host.process.kill('SIGKILL');
    await waitUntil(() => !isRunning(spare));
  });

  test('all output has arrived with the answer', async (t) => {
    const host = await start(
      t,
      'process.stdout.write("x".repeat(700_000)); process.stdout.write(""); console.log("end"); process.exit();',
    );
    for (let i = 0; i < 3; i++) assert.equal((await host.run()).stdout.length, 700_004);
  });

  test('many args', async (t) => {
    const code = 'console.log(process.argv[2].length, process.argv.length);';
    const { stdout } = await run(t, code, 'x'.repeat(1_000_000), 'a', 'b', 'c');
    assert.equal(stdout, '1000000 6\n');
  });

  test('which file is the script', async (t) => {
    const files = {
      'main.cjs': 'console.log("cjs");',
      'main.js': 'console.log("js", require("./helper"));',
      'main.mjs': 'import helper from "./helper.js"; console.log("mjs", helper);',
      'helper.js': 'module.exports = 5;',
    };
    for (const stdout of ['mjs 5\n', 'js 5\n', 'cjs\n']) {
      const host = await start(t, zipOf(files), { format: 'zip' });
      assert.equal((await host.run()).stdout, stdout);
      delete files[Object.keys(files).findLast((name) => name.startsWith('main'))];
    }
  });

  test('a missing script fails to initialise', async (t) => {
    const host = await Host.start();
    t.after(() => host.stop());
    const report = await host.initError(zipOf({ 'app.js': '' }), { handler: null, format: 'zip' });
    assert.equal(report.errorType, 'Runtime.ImportModuleError');
    assert.match(report.errorMessage, /main\.js/);
  });
});
