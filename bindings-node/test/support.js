'use strict';
// A platform over acted sandboxes: code `fake:echo` acts the case `echo` of images/cases out.

const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const lambdabox = require('..');

/** Opens one in a directory of its own, and closes it after the test. */
async function open(t, options = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lbx-'));
  const platform = await lambdabox.Platform.open({
    dataDir,
    store: 'sqlite::memory:',
    [Symbol.for('lambdabox.fake')]: true,
    ...options,
  });
  t.after(async () => {
    await platform.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return platform;
}

/** Deploys a handler that acts a case out. */
function deploy(platform, name, case_ = name) {
  return platform.deploy({ name, language: 'python', code: `fake:${case_}`, handler: 'case.handler' });
}

/** Waits until `condition` holds, and fails if it does not within ten seconds. */
async function until(condition) {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

module.exports = { ...lambdabox, open, deploy, until };
