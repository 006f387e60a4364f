'use strict';
// Puts a function's code in place and finds its handler.

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { RuntimeFailure, withoutRuntime } = require('./errors.js');

// AWS's order.
const EXTENSIONS = ['', '.js', '.mjs', '.cjs'];

// Writes the code that came with the configuration under the task root.
function unpack(config, code, taskRoot) {
  const { format } = config.code;
  if (format === 'inline') {
    const name = config.handler === null ? 'main' : splitHandler(config.handler).module;
    const file = path.join(taskRoot, name + (isModule(code.toString()) ? '.mjs' : '.js'));
    if (name.includes('/')) fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, code);
  } else if (format === 'zip') {
    unpackZip(code, taskRoot);
  } else if (format !== 'directory') {
    throw new RuntimeFailure('Runtime.InvalidCode', `Unknown code format '${format}'.`);
  }
}

// Whether a source is an ES module: it has what CommonJS refuses, and is not just wrong.
function isModule(source) {
  if (!/\b(?:import|export|await)\b/.test(source)) return false;
  const vm = require('vm');
  source = source.replace(/^\uFEFF/, '').replace(/^#!.*/, '');
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname'];
  const asCommonJs = () => vm.compileFunction(source, parameters);
  // Where `await` stands at the top level, the rest of the source is of interest.
  const asAsyncFunction = () => new vm.Script(`(async function (${parameters}) {${source}\n})`);
  for (const compile of [asCommonJs, asAsyncFunction]) {
    try {
      compile();
      return compile !== asCommonJs;
    } catch ({ message = '' }) {
      if (/import statement|Unexpected token 'export'|import\.meta/.test(message)) return true;
    }
  }
  return false;
}

function unpackZip(archive, taskRoot) {
  const made = new Set([taskRoot]);
  for (const { name, mode, content } of readZip(archive)) {
    const file = path.join(taskRoot, name);
    const folder = name.endsWith('/') ? file : path.dirname(file);
    if (!made.has(folder)) {
      fs.mkdirSync(folder, { recursive: true });
      made.add(folder);
    }
    if (!name.endsWith('/')) fs.writeFileSync(file, content(), { mode });
  }
}

// The entries of a zip archive, in the central directory's order.
// The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
function* readZip(archive) {
  const broken = (why) =>
    new RuntimeFailure('Runtime.InvalidCode', `Cannot unpack the zip: ${why}`);
  const end = archive.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0 || end + 22 > archive.length) throw broken('it has no directory.');
  const count = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    if (at + 46 > archive.length || archive.readUInt32LE(at) !== 0x02014b50) {
      throw broken('its directory is damaged.');
    }
    const flags = archive.readUInt16LE(at + 8);
    const method = archive.readUInt16LE(at + 10);
    const packedBytes = archive.readUInt32LE(at + 20);
    const bytes = archive.readUInt32LE(at + 24);
    const nameBytes = archive.readUInt16LE(at + 28);
    const attributes = archive.readUInt32LE(at + 38) >>> 16;
    const local = archive.readUInt32LE(at + 42);
    const name = archive.utf8Slice(at + 46, at + 46 + nameBytes);
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);

    // The host has refused such archives already; a second look costs nothing.
    if (name === '' || /^\/|\\|\0/.test(name) || name.split('/').includes('..')) {
      throw broken(`'${name}' is not a relative path.`);
    }
    const type = attributes & 0o170000;
    if (type !== 0 && type !== 0o100000 && type !== 0o040000) {
      throw broken(`'${name}' is not a regular file.`);
    }
    if (flags & 1) throw broken(`'${name}' is encrypted.`);
    if (method !== 0 && method !== 8) throw broken(`'${name}' is neither stored nor deflated.`);
    if (local + 30 > archive.length) throw broken(`'${name}' is damaged.`);
    const start =
      local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    yield {
      name,
      mode: attributes & 0o111 ? 0o755 : 0o644,
      content() {
        const packed = archive.subarray(start, start + packedBytes);
        try {
          const content =
            method === 0
              ? packed
              : inflate(packed, bytes);
          if (content.length === bytes) return content;
        } catch {
          // Said below.
        }
        throw broken(`'${name}' is damaged.`);
      },
    };
  }
}

// In one piece, not in zlib's 16 KiB; no more than the directory says.
function inflate(packed, bytes) {
  const size = Math.max(bytes, 1);
  const chunkSize = Math.min(Math.max(size, 64), 1 << 20);
  return require('zlib').inflateRawSync(packed, { chunkSize, maxOutputLength: size });
}

// Does once what an initialisation does: the first time takes several times as long.
function rehearse(folder) {
  fs.writeFileSync('/dev/null', inflate(Buffer.from([3, 0]), 1));
  return loadHandler('loader.rehearse', folder);
}

// `folder/module.function`, split as AWS does: after the last slash, at the first dot, so
// that the function may be a property of an exported object.
function splitHandler(handler) {
  if (handler.includes('..') || handler.startsWith('/')) {
    throw new RuntimeFailure(
      'Runtime.MalformedHandlerName',
      `'${handler}' is not a valid handler name: the module must be a relative name.`,
    );
  }
  const start = handler.lastIndexOf('/') + 1;
  const dot = handler.indexOf('.', start);
  if (dot <= start || dot === handler.length - 1) {
    throw new RuntimeFailure(
      'Runtime.MalformedHandlerName',
      `Bad handler '${handler}': expected 'module.function'.`,
    );
  }
  return { module: handler.slice(0, dot), property: handler.slice(dot + 1) };
}

async function loadHandler(handler, taskRoot) {
  const { file, property } = resolveHandler(handler, taskRoot);
  let namespace;
  try {
    namespace = isModuleFile(file, taskRoot)
      ? await import(pathToFileURL(file).href)
      : require(file);
  } catch (error) {
    throw loadFailure(error, file);
  }
  let found = namespace;
  for (const key of property.split('.')) found = found?.[key];
  if (found === undefined || found === null) {
    throw new RuntimeFailure(
      'Runtime.HandlerNotFound',
      `${handler} is undefined or not exported`,
    );
  }
  if (typeof found !== 'function') {
    throw new RuntimeFailure('Runtime.HandlerNotFound', `${handler} is not a function`);
  }
  return found;
}

function resolveHandler(handler, taskRoot) {
  const { module, property } = splitHandler(handler);
  const dot = handler.lastIndexOf('.');
  const lastModule = handler.slice(0, dot);
  const lastProperty = handler.slice(dot + 1);
  for (const [name, property_] of [
    [module, property],
    // Not AWS's rule, but Python's, for a module in a folder: `folder.module.function`.
    [lastModule.replace(/\./g, '/'), lastProperty],
    [lastModule, lastProperty],
  ]) {
    for (const extension of EXTENSIONS) {
      const file = path.resolve(taskRoot, name + extension);
      if (fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
        return { file, property: property_ };
      }
    }
  }
  try {
    // A folder with an index.js, or a package.
    return { file: require.resolve(`./${module}`, { paths: [taskRoot] }), property };
  } catch {
    const message = `Error: Cannot find module '${module}'`;
    throw new RuntimeFailure('Runtime.ImportModuleError', message);
  }
}

// Node's own rule for which loader a file is for.
function isModuleFile(file, taskRoot) {
  if (file.endsWith('.mjs')) return true;
  if (!file.endsWith('.js')) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (path.basename(folder) === 'node_modules') return false;
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'))).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT') return false;
    }
    if (folder === taskRoot || folder === path.dirname(folder)) return false;
  }
}

// The failure of a module that could not be loaded, under AWS's types.
function loadFailure(error, file) {
  if (error instanceof SyntaxError) {
    const place = /:\d+$/m.test(String(error.stack).split('\n')[0]) ? null : checkSyntax(file);
    return new RuntimeFailure('Runtime.UserCodeSyntaxError', String(error), error, place);
  }
  if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
    // The end of the list of who required it is us.
    const message = withoutRuntime(`Error: ${error.message}`.split('\n')).join('\n');
    return new RuntimeFailure('Runtime.ImportModuleError', message, error);
  }
  return error;
}

// Node does not tell a program where the syntax error of an ES module is; it prints it.
function checkSyntax(file) {
  const { spawnSync } = require('child_process');
  const { stderr } = spawnSync(process.execPath, ['--check', file], { timeout: 5000 });
  const lines = String(stderr).split('\n');
  const end = lines.findIndex((line) => line.startsWith('SyntaxError: '));
  return end < 0 ? null : lines.slice(0, end + 1);
}

function findScript(taskRoot) {
  for (const name of ['main.mjs', 'main.js', 'main.cjs']) {
    const file = path.join(taskRoot, name);
    if (fs.existsSync(file)) return file;
  }
  throw new RuntimeFailure(
    'Runtime.ImportModuleError',
    "Unable to find the script 'main.js': a script function's code must have it, " +
      "or 'main.mjs', or 'main.cjs'.",
  );
}

module.exports = { unpack, rehearse, loadHandler, findScript };
