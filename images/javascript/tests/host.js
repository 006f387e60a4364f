'use strict';
// A fake host: starts the real bootstrap as the platform does and speaks the protocol to it.

const { execFileSync, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const zlib = require('node:zlib');

const BOOTSTRAP = path.join(__dirname, '..', 'bootstrap.js');
const NODE = process.env.LAMBDA_TEST_NODE ?? process.execPath;
const ARN = 'arn:aws:lambda:local:000000000000:function:fn';
const TIMEOUT_MS = 30_000;
const GET_NEXT = 'GET /2018-06-01/runtime/invocation/next HTTP/1.1';
const ACCEPTED =
  'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n' +
  '{"status":"OK"}\n';

class Ended extends Error {}

// Drains a FIFO all the time, as the host must: a full one blocks the function.
class Output {
  constructor(file) {
    execFileSync('mkfifo', [file]);
    // Non-blocking, so that the open does not wait for the writer.
    this.fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    this.parts = [];
    this.timer = setInterval(() => this.drain(), 2);
  }

  drain() {
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      let count;
      try {
        count = fs.readSync(this.fd, buffer);
      } catch (error) {
        if (error.code === 'EAGAIN') return;
        throw error;
      }
      if (count === 0) return;
      this.parts.push(Buffer.from(buffer.subarray(0, count)));
    }
  }

  // What is in the FIFO now, and what was drained before.
  take() {
    this.drain();
    const text = Buffer.concat(this.parts).toString();
    this.parts = [];
    return text;
  }

  close() {
    clearInterval(this.timer);
    fs.closeSync(this.fd);
  }
}

class Host {
  static async start({ env = {}, wrapper = [], nodeArgs = ['--max-old-space-size=90'] } = {}) {
    const host = new Host();
    host.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lambda-boot-'));
    host.taskRoot = path.join(host.directory, 'task');
    fs.mkdirSync(host.taskRoot);
    const socketPath = path.join(host.directory, 'api.sock');
    const server = net.createServer();
    const connected = new Promise((resolve) => server.once('connection', resolve));
    await new Promise((resolve) => server.listen(socketPath, resolve));
    host.stdout = new Output(path.join(host.directory, 'stdout'));
    host.stderr = new Output(path.join(host.directory, 'stderr'));
    host.process = spawn(
      'sh',
      [
        '-c',
        'd=$0; exec "$@" >"$d/stdout" 2>"$d/stderr"',
        host.directory,
        ...wrapper,
        NODE,
        ...nodeArgs,
        BOOTSTRAP,
      ],
      {
        stdio: 'ignore',
        env: {
          PATH: process.env.PATH,
          LAMBDA_API_SOCKET: socketPath,
          LAMBDA_TASK_ROOT: host.taskRoot,
          ...env,
        },
      },
    );
    host.exited = new Promise((resolve) =>
      host.process.once('exit', (code, signal) => resolve(signal ?? code)),
    );
    host.connection = await host.within(connected, 'connection');
    server.close();
    host.buffer = Buffer.alloc(0);
    host.isEnded = false;
    host.wake = () => {};
    host.connection.on('data', (data) => {
      host.buffer = Buffer.concat([host.buffer, data]);
      host.wake();
    });
    host.connection.on('error', () => {});
    host.connection.on('close', () => {
      host.isEnded = true;
      host.wake();
    });
    host.ids = 0;
    return host;
  }

  async stop() {
    this.connection.destroy();
    this.process.kill('SIGKILL');
    await this.exited;
    this.stdout.close();
    this.stderr.close();
    fs.rmSync(this.directory, { recursive: true });
  }

  async within(promise, what) {
    const timer = new AbortController();
    const late = sleep(TIMEOUT_MS, null, { signal: timer.signal }).then(() => {
      throw new Error(`no ${what} within ${TIMEOUT_MS} ms; stderr: ${this.stderr.take()}`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([promise, late]);
    } finally {
      timer.abort();
    }
  }

  send(head, body = '') {
    this.connection.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body)]));
  }

  async _until(isReady) {
    while (!isReady()) {
      if (this.isEnded) throw new Ended('the bootstrap closed the connection');
      await this.within(new Promise((resolve) => (this.wake = resolve)), 'message');
    }
  }

  async receive() {
    await this._until(() => this.buffer.includes('\r\n\r\n'));
    const end = this.buffer.indexOf('\r\n\r\n');
    const [line, ...fields] = this.buffer.subarray(0, end).toString().split('\r\n');
    const headers = Object.fromEntries(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    );
    const total = end + 4 + Number(headers['content-length'] ?? 0);
    await this._until(() => this.buffer.length >= total);
    const body = this.buffer.subarray(end + 4, total).toString();
    this.buffer = this.buffer.subarray(total);
    return { line, headers, body };
  }

  async expect(line) {
    const request = await this.receive();
    if (request.line !== line) {
      throw new Error(`${request.line}, expected ${line}: ${request.body.slice(0, 2000)}`);
    }
    return request;
  }

  sendInit(code = '', { handler = 'app.handler', format = 'inline', env = {}, ...fields } = {}) {
    const config = Buffer.from(
      JSON.stringify({
        function_name: 'fn',
        function_version: '7',
        invoked_function_arn: ARN,
        memory_limit_mib: 128,
        log_group_name: '/aws/lambda/fn',
        log_stream_name: 'stream',
        handler,
        env,
        code: { format },
        ...fields,
      }),
    );
    const bytes = Buffer.concat([config, Buffer.from(code)]);
    this.send(
      [
        'HTTP/1.1 200 OK',
        'Content-Type: application/octet-stream',
        `Content-Length: ${bytes.length}`,
        `Lambda-Init-Config-Length: ${config.length}`,
      ],
      bytes,
    );
  }

  async init(code, options) {
    await this.expect('GET /lambda/v1/init HTTP/1.1');
    this.sendInit(code, options);
    await this.expect(GET_NEXT);
    return this;
  }

  // The report of an initialisation that must fail; the process has then exited with 1.
  async initError(code, options) {
    await this.expect('GET /lambda/v1/init HTTP/1.1');
    this.sendInit(code, options);
    const request = await this.expect('POST /2018-06-01/runtime/init/error HTTP/1.1');
    if (this.process.exitCode !== null) throw new Error('exited before the 202');
    this.accept();
    const status = await this.within(this.exited, 'exit');
    if (status !== 1) throw new Error(`exit status ${status}`);
    return JSON.parse(request.body);
  }

  accept() {
    this.connection.write(ACCEPTED);
  }

  sendEvent(body, { timeoutMs = 5000, headers = [] } = {}) {
    this.ids += 1;
    this.requestId = `0190a6b0-0000-7000-8000-${String(this.ids).padStart(12, '0')}`;
    this.send(
      [
        'HTTP/1.1 200 OK',
        'Content-Type: application/json',
        `Content-Length: ${Buffer.byteLength(body)}`,
        `Lambda-Runtime-Aws-Request-Id: ${this.requestId}`,
        `Lambda-Runtime-Deadline-Ms: ${Date.now() + timeoutMs}`,
        `Lambda-Runtime-Invoked-Function-Arn: ${ARN}`,
        ...headers,
      ],
      body,
    );
  }

  async receiveAnswer() {
    const { line, headers, body } = await this.receive();
    // At once: what arrives later is not this invocation's.
    const stdout = this.stdout.take();
    const stderr = this.stderr.take();
    const prefix = `POST /2018-06-01/runtime/invocation/${this.requestId}/`;
    if (!line.startsWith(prefix)) throw new Error(`unexpected ${line}`);
    const verdict = line.slice(prefix.length).split(' ')[0];
    return { verdict, headers, body, result: JSON.parse(body), stdout, stderr };
  }

  // One invocation; the bootstrap is left waiting for the next.
  async invoke(event = {}, options) {
    this.sendEvent(JSON.stringify(event), options);
    const answer = await this.receiveAnswer();
    await this.expect(GET_NEXT);
    this.accept();
    return answer;
  }

  // One execution of a script.
  run(...args) {
    return this.invoke(args);
  }

  // One invocation that ends the process: its exit status, its report if any, and the output.
  async invokeUntilEnd(event = {}) {
    this.sendEvent(JSON.stringify(event));
    let report = null;
    try {
      const answer = await this.receiveAnswer();
      report = answer;
      this.accept();
      const more = await this.receive();
      throw new Error(`went on: ${more.line}`);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
    }
    const status = await this.within(this.exited, 'exit');
    return {
      status,
      report,
      stdout: (report?.stdout ?? '') + this.stdout.take(),
      stderr: (report?.stderr ?? '') + this.stderr.take(),
    };
  }
}

// A zip archive of { name: content }.
function zipOf(files, { isStored = false, mode = 0o100644 } = {}) {
  const locals = [];
  const centrals = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const packed = isStored ? bytes : zlib.deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800, 2);
    common.writeUInt16LE(isStored ? 0 : 8, 4);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(mode * 0x10000, 6);
    rest.writeUInt32LE(offset, 10);
    centrals.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02'),
        Buffer.from([20, 3]),
        common,
        rest,
        Buffer.from(name),
      ]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(centrals.length, 8);
  end.writeUInt16LE(centrals.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

// Polls until the condition holds; its value.
async function waitUntil(condition) {
  const end = Date.now() + TIMEOUT_MS;
  while (Date.now() < end) {
    const value = await condition();
    if (value) return value;
    await sleep(5);
  }
  throw new Error('condition was never true');
}

// A process namespace of its own, as a sandbox has.
const OWN_NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child', '--'];

function canUnshare() {
  const [command, ...args] = [...OWN_NAMESPACE, 'true'];
  return spawnSync(command, args).status === 0;
}

function isRunning(pid) {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

module.exports = { Host, zipOf, waitUntil, isRunning, OWN_NAMESPACE, canUnshare, ARN };
