/**
 * The source of a live function, as far as it stands on its own.
 *
 * A function's source says nothing of the values around it. So every name that it uses and does
 * not declare has to be one that JavaScript or Node has everywhere; any other one is refused. What
 * cannot be seen: names inside of `eval` and `new Function`, and a global that was replaced.
 */

import { createContext, runInContext } from 'node:vm';

import { parse, type AnyNode, type Expression, type Function as FunctionNode } from 'acorn';

import { invalid } from './errors.js';

type AnyFunction = (...args: never[]) => unknown;

const OPERATION = 'deployFunction';

/** What a CommonJS module has in Node besides the language's own globals. */
const NODE_GLOBALS = [
  'AbortController', 'AbortSignal', 'Blob', 'Buffer', 'BroadcastChannel', 'DOMException', 'Event',
  'EventTarget', 'FormData', 'Headers', 'MessageChannel', 'MessagePort', 'Request', 'Response',
  'TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams', 'ReadableStream', 'TransformStream',
  'WritableStream', 'CompressionStream', 'DecompressionStream', '__dirname', '__filename', 'atob',
  'btoa', 'clearImmediate', 'clearInterval', 'clearTimeout', 'console', 'crypto', 'exports', 'fetch',
  'global', 'module', 'performance', 'process', 'queueMicrotask', 'require', 'setImmediate',
  'setInterval', 'setTimeout', 'structuredClone',
];

let known: Set<string> | undefined;

function globals(): Set<string> {
  // Of a context of its own: in this one the application may have added some.
  known ??= new Set([
    ...(runInContext('Object.getOwnPropertyNames(globalThis)', createContext()) as string[]),
    ...NODE_GLOBALS,
    'undefined',
    'arguments',
  ]);
  return known;
}

/** A CommonJS module whose `handler` is `fn`. */
export function moduleOf(fn: AnyFunction): string {
  if (typeof fn !== 'function') throw invalid(OPERATION, '`deployFunction` takes a function.');
  const text = Function.prototype.toString.call(fn);
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text)) {
    throw invalid(
      OPERATION,
      'This function is native or bound, so its source cannot be read.',
      'Wrap it: `(event) => fn(event)` with everything it needs inside.',
    );
  }
  const source = expressionOf(text);
  check(source.node);
  return `exports.handler = ${source.text};\n`;
}

/** A method's source is no expression of its own, so it is read as a member of an object. */
function expressionOf(text: string): { text: string; node: FunctionNode } {
  const plain = parsed(`(${text})`);
  if (plain?.type === 'ClassExpression') {
    throw invalid(OPERATION, 'A class cannot be deployed.', 'Deploy a function that makes an instance.');
  }
  if (plain?.type === 'FunctionExpression' || plain?.type === 'ArrowFunctionExpression') {
    return { text: `(${text})`, node: plain };
  }
  const object = parsed(`({${text}})`);
  const member = object?.type === 'ObjectExpression' ? object.properties[0] : undefined;
  if (member?.type === 'Property' && member.kind === 'init' && !member.computed) {
    const name = member.key.type === 'Identifier' ? member.key.name : undefined;
    if (name !== undefined && member.value.type === 'FunctionExpression') {
      return { text: `({${text}})[${JSON.stringify(name)}]`, node: member.value };
    }
  }
  throw invalid(
    OPERATION,
    "This function's source is not one function that can be read by itself.",
    'Write it as `async function name(event) { ... }` or as an arrow function.',
  );
}

function parsed(text: string): Expression | undefined {
  try {
    const statement = parse(text, { ecmaVersion: 'latest', sourceType: 'script' }).body[0];
    return statement?.type === 'ExpressionStatement' ? statement.expression : undefined;
  } catch {
    return undefined;
  }
}

function check(fn: FunctionNode): void {
  if (fn.generator) {
    throw invalid(OPERATION, 'A generator cannot be deployed.', 'Return an array of its values.');
  }
  const free = new Set<string>();
  new Walk(free).function(fn, new Scope());
  for (const name of globals()) free.delete(name);
  if (free.size === 0) return;
  const names = [...free].map((name) => `\`${name}\``).join(', ');
  throw invalid(
    OPERATION,
    `The function uses ${names} from outside, which only its source cannot bring along.`,
    'Pass values in the event, in `env` or as constants inside of the function, load modules inside ' +
      'of it with `require`, or deploy the file by `deploy({ path })`.',
  );
}

/** Names of one function or block. */
class Scope {
  readonly names = new Set<string>();
  readonly isFunction: boolean;
  readonly parent: Scope | undefined;

  constructor(parent?: Scope, isFunction = false) {
    this.parent = parent;
    this.isFunction = isFunction;
  }

  has(name: string): boolean {
    return this.names.has(name) || (this.parent?.has(name) ?? false);
  }

  /** Where a `var` belongs. */
  get owner(): Scope {
    return this.isFunction || !this.parent ? this : this.parent.owner;
  }
}

type Child = AnyNode | null | undefined;

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && typeof (value as AnyNode).type === 'string';
}

function* children(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node) as unknown[]) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield child;
    }
  }
}

/** Names that a pattern declares. */
function* bound(pattern: Child): Generator<string> {
  if (!pattern) return;
  switch (pattern.type) {
    case 'Identifier':
      yield pattern.name;
      break;
    case 'ObjectPattern':
      for (const part of pattern.properties) {
        yield* bound(part.type === 'RestElement' ? part.argument : part.value);
      }
      break;
    case 'ArrayPattern':
      for (const part of pattern.elements) yield* bound(part);
      break;
    case 'AssignmentPattern':
      yield* bound(pattern.left);
      break;
    case 'RestElement':
      yield* bound(pattern.argument);
      break;
  }
}

/** Finds names that nothing in sight declares. */
class Walk {
  readonly #free: Set<string>;

  constructor(free: Set<string>) {
    this.#free = free;
  }

  function(fn: FunctionNode, outer: Scope): void {
    const scope = new Scope(outer, true);
    if (fn.type === 'FunctionExpression' && fn.id) scope.names.add(fn.id.name);
    for (const param of fn.params) for (const name of bound(param)) scope.names.add(name);
    const statements = fn.body.type === 'BlockStatement' ? fn.body.body : [];
    for (const statement of statements) this.declare(statement, scope);
    for (const param of fn.params) this.pattern(param, scope);
    if (fn.body.type === 'BlockStatement') for (const child of fn.body.body) this.node(child, scope);
    else this.node(fn.body, scope);
  }

  /** What the statement `node` declares, before any of it is looked at: hoisting. */
  declare(node: AnyNode, scope: Scope): void {
    switch (node.type) {
      case 'VariableDeclaration': {
        const owner = node.kind === 'var' ? scope.owner : scope;
        for (const { id } of node.declarations) for (const name of bound(id)) owner.names.add(name);
        break;
      }
      case 'FunctionDeclaration':
      case 'ClassDeclaration':
        if (node.id) scope.names.add(node.id.name);
        break;
      case 'LabeledStatement':
        this.declare(node.body, scope);
        break;
      default:
        break;
    }
    this.#hoist(node, scope);
  }

  /** `var` of nested blocks. */
  #hoist(node: AnyNode, scope: Scope): void {
    for (const child of children(node)) {
      if (isFunction(child) || child.type === 'ClassBody') continue;
      if (child.type === 'VariableDeclaration' && child.kind === 'var') {
        for (const { id } of child.declarations) {
          for (const name of bound(id)) scope.owner.names.add(name);
        }
      }
      this.#hoist(child, scope);
    }
  }

  /** A pattern that declares: only its defaults and computed keys use names. */
  pattern(node: Child, scope: Scope): void {
    if (!node) return;
    switch (node.type) {
      case 'Identifier':
        break;
      case 'ObjectPattern':
        for (const part of node.properties) {
          if (part.type === 'RestElement') this.pattern(part.argument, scope);
          else {
            if (part.computed) this.node(part.key, scope);
            this.pattern(part.value, scope);
          }
        }
        break;
      case 'ArrayPattern':
        for (const part of node.elements) this.pattern(part, scope);
        break;
      case 'AssignmentPattern':
        this.pattern(node.left, scope);
        this.node(node.right, scope);
        break;
      case 'RestElement':
        this.pattern(node.argument, scope);
        break;
      default:
        this.node(node, scope);
    }
  }

  node(node: Child, scope: Scope): void {
    if (!node) return;
    switch (node.type) {
      case 'Identifier':
        if (!scope.has(node.name)) this.#free.add(node.name);
        return;
      case 'Super':
        this.#free.add('super');
        return;
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        this.function(node, scope);
        return;
      case 'MemberExpression':
        this.node(node.object, scope);
        if (node.computed) this.node(node.property as AnyNode, scope);
        return;
      case 'Property':
      case 'PropertyDefinition':
      case 'MethodDefinition':
        if (node.computed) this.node(node.key as AnyNode, scope);
        this.node(node.value as Child, scope);
        return;
      case 'LabeledStatement':
        this.node(node.body, scope);
        return;
      case 'BreakStatement':
      case 'ContinueStatement':
      case 'MetaProperty':
        return;
      case 'VariableDeclarator':
        this.pattern(node.id, scope);
        this.node(node.init, scope);
        return;
      case 'ClassDeclaration':
      case 'ClassExpression': {
        const inner = new Scope(scope);
        if (node.id) inner.names.add(node.id.name);
        // `super` of a class in sight is no name from outside.
        inner.names.add('super');
        this.node(node.superClass, scope);
        const free = new Set<string>();
        new Walk(free).#children(node.body, inner);
        free.delete('super');
        for (const name of free) this.#free.add(name);
        return;
      }
      case 'CatchClause': {
        const inner = new Scope(scope);
        for (const name of bound(node.param)) inner.names.add(name);
        this.pattern(node.param, inner);
        this.node(node.body, inner);
        return;
      }
      case 'BlockStatement':
      case 'StaticBlock':
      case 'SwitchStatement':
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement': {
        const inner = new Scope(scope, node.type === 'StaticBlock');
        for (const child of children(node)) {
          this.declare(child, inner);
          if (child.type === 'SwitchCase') for (const part of child.consequent) this.declare(part, inner);
        }
        this.#children(node, inner);
        return;
      }
      default:
        this.#children(node, scope);
    }
  }

  #children(node: AnyNode, scope: Scope): void {
    for (const child of children(node)) this.node(child, scope);
  }
}

function isFunction(node: AnyNode): boolean {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression'
  );
}
