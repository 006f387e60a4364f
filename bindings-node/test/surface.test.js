// The names are those of docs/embedding-surface.txt, whose list every surface is compared with.
'use strict';
const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');

const lambdabox = require('..');

const root = join(__dirname, '..');
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const lines = readFileSync(join(root, '..', 'docs', 'embedding-surface.txt'), 'utf8').split('\n');
/** Operations, or what `execute` is told, which is indented. */
const names = (shape) =>
  lines
    .filter((line) => shape.test(line))
    .map((line) => line.trim().split(' '))
    .filter(([, ...languages]) => languages.length === 0 || languages.includes('node'))
    .map(([name]) => camel(name))
    .sort();
const listed = names(/^\w/);

test('the operations of a platform are those of every surface', () => {
  const own = Object.getOwnPropertyNames(lambdabox.Platform.prototype);
  const found = own.filter((name) => name !== 'constructor').concat('open');
  assert.equal(typeof lambdabox.Platform.open, 'function');
  assert.deepEqual(found.sort(), listed);
});

test('and so are the declared ones', () => {
  const declarations = readFileSync(join(root, 'types', 'platform.d.ts'), 'utf8');
  const body = /export declare class Platform \{\n([^]*?)\n\}/.exec(declarations)[1];
  const found = [...body.matchAll(/^    (?:static )?(\w+)[<(]/gm)].map(([, name]) => name);
  assert.deepEqual([...new Set(found)].filter((name) => name !== 'constructor').sort(), listed);
});

test('a run is told what it is on every surface', () => {
  const { EXECUTE_FIELDS } = require('../dist/invocation.js');
  assert.deepEqual([...EXECUTE_FIELDS].sort(), names(/^  \w/));
});

test('everything that is exported is declared, and the other way round', () => {
  const index = readFileSync(join(root, 'types', 'index.d.ts'), 'utf8');
  const lists = [...index.matchAll(/^export \{([^}]*)\}/gm)];
  const declared = lists.flatMap(([, names]) => names.split(',').map((name) => name.trim()));
  assert.deepEqual(declared.filter(Boolean).sort(), Object.keys(lambdabox).sort());
});
