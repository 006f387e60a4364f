'use strict';
const assert = require('node:assert/strict');
const { runInNewContext } = require('node:vm');
const { test } = require('node:test');

const { InvalidParameterError } = require('..');
const { moduleOf } = require('../dist/source.js');

const outside = 3;

/** Runs the module and gives its handler. */
function load(fn) {
  const exports = {};
  runInNewContext(moduleOf(fn), { exports, require, console });
  return exports.handler;
}

test('functions that stand on their own', async () => {
  const object = { method(event) { return event + 1; }, async later(event) { return event + 2; } };
  assert.equal(load(object.method)(1), 2);
  assert.equal(await load(object.later)(1), 3);
  assert.equal(load((event) => event * 2)(2), 4);
  assert.equal(load(function named(n) { return n ? n * named(n - 1) : 1; })(4), 24);
  assert.equal(load(({ a, b: { c = a } = {}, ...rest }) => [a, c, rest].length)({ a: 1 }), 3);
  assert.equal(load((list) => {
    let sum = 0;
    outer: for (const [i, it] of list.entries()) {
      if (i > 5) break outer;
      sum += it;
    }
    for (var j = 0; j < 2; j += 1) sum += j;
    try { throw new Error('x'); } catch ({ message }) { sum += message.length; }
    switch (sum) { case 0: let zero = 1; return zero; default: return helper(sum) + j; }
    function helper(x) { return x; }
  })([1, 2]), 7);
  assert.equal(load(() => {
    class A { value = 1; get() { return this.value; } }
    return new (class B extends A { get() { return super.get() + 1; } })().get();
  })(), 2);
  assert.equal(load(() => require('node:path').basename('/a/b'))(), 'b');
  assert.equal(load((event) => ({ outside: event.outside, ...event }).outside)({ outside: 1 }), 1);
});

test('what needs something from outside is refused by name', () => {
  const helper = () => 1;
  class Base { run() { return super.toString(); } }
  for (const [fn, message] of [
    [() => outside, /uses `outside` from outside/],
    [(event = outside) => event, /`outside`/],
    [() => { { const outside2 = 1; void outside2; } return [outside].map((x) => helper(x)); }, /`outside`, `helper`/],
    [({ [outside]: x }) => x, /`outside`/],
    [() => { { let inner = 1; void inner; } return typeof inner; }, /`inner`/],
    [new Base().run, /`super`/],
    [Math.max, /native or bound/],
    [load.bind(null), /native or bound/],
    [Base, /A class/],
    [function* () { yield 1; }, /A generator/],
    [{ get x() { return 1; } }.x, /takes a function/],
    [{ [`a${outside}`]() { return 1; } }.a3, /cannot? be|can be read by itself/],
    [undefined, /takes a function/],
  ]) {
    assert.throws(() => moduleOf(fn), (error) => {
      assert.ok(error instanceof InvalidParameterError, String(error?.stack));
      assert.match(error.message, message);
      return true;
    });
  }
});
