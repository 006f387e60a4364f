// The sandboxes of the server, as they are now.

import { call, listAll } from "../lib/api.js";
import { count, mib, ms, share, words } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { Chip, Empty, Facts, Loaded } from "../ui/basics.js";
import { Locked, useForgetWrong } from "../ui/token.js";

const EVERY_MS = 2000;

const STATES = [
  ["busy", "serving"],
  ["idle", "warm, without work"],
  ["prewarmed", "booted, without code"],
  ["creating", "being created"],
  ["removing", "being removed"],
];

const COUNTERS = [
  ["warm_starts", "Warm starts"],
  ["prewarmed_starts", "Prewarmed starts"],
  ["cold_starts", "Cold starts"],
  ["creations", "Created"],
  ["create_failures", "Failed to create"],
  ["evictions", "Made room for others"],
  ["expirations", "Idled too long"],
  ["deaths", "Found dead"],
  ["throttled_queue_full", "Refused: queue full"],
  ["throttled_queue_timeout", "Refused: waited too long"],
];

export function Pool() {
  return html`<${Locked} title="The pool needs a token"><${Live} /><//>`;
}

function Live() {
  const load = useLoad((signal) => call("GET", "pool", { signal }), "pool", { everyMs: EVERY_MS });
  const functions = useLoad((signal) => listAll("functions", { signal }), "functions");
  useForgetWrong(load.error);
  const isMissing = load.error?.isUnknownRoute ?? false;
  return html`
    <div class="head">
      <h1>Pool</h1>
      ${load.data && html`<span class="quiet"><span class="live-mark">live</span> as of ${load.at.toLocaleTimeString()}</span>`}
    </div>
    <div id="pool" class="stack">
      ${isMissing
        ? html`<section class="panel"><${Empty} title="This server does not tell of its pool"><p>Functions run as ever; only this view is missing.</p><//></section>`
        : html`<${Loaded} load=${load} lines=${8}>${(pool) => html`<${State} pool=${pool} functions=${functions.data ?? []} />`}<//>`}
    </div>
  `;
}

function State({ pool, functions }) {
  const names = new Map(functions.map(({ id, name }) => [id, name]));
  return html`
    <${Facts}
      kind="tiles"
      pairs=${[
        ["Sandboxes", count(pool.sandboxes), `of at most ${count(pool.sandboxes_max)}`],
        ["Serving", count(pool.busy)],
        ["Warm or prewarmed", count(pool.idle + pool.prewarmed), pool.frozen > 0 ? `${count(pool.frozen)} frozen` : ""],
        ["Memory", mib(pool.memory_mib), `of ${mib(pool.memory_mib_max)}`],
        ["Waiting calls", count(pool.waiting), pool.oldest_wait_ms ? `for up to ${ms(pool.oldest_wait_ms)}` : ""],
      ]}
    />
    <div class="charts">
      <section class="panel" aria-labelledby="states-title">
        <h2 id="states-title">Sandboxes by state</h2>
        <${States} of=${pool} />
        <ul class="key" aria-label="Sandboxes by state">
          ${STATES.map(([state, what]) => html`<li key=${state}><span class=${`dot state-${state}`} aria-hidden="true"></span> ${count(pool[state])} ${what}</li>`)}
        </ul>
        <h2>Memory</h2>
        <${Memory} pool=${pool} />
      </section>
      <section class="panel" aria-labelledby="runtimes-title">
        <h2 id="runtimes-title">Runtimes</h2>
        <div class="scroll" tabindex="0" role="region" aria-label="Runtimes"><table>
          <thead><tr><th scope="col">Runtime</th><th scope="col">Circuit breaker</th><th scope="col" class="number">Failures</th><th scope="col" class="number">Tried again in</th></tr></thead>
          <tbody>
            ${pool.runtimes.map(
              (runtime) => html`<tr key=${runtime.runtime}>
                <td class="strong">${runtime.runtime}</td>
                <td><${Chip} kind=${runtime.breaker === "closed" ? "good" : runtime.breaker}>${runtime.breaker === "closed" ? "closed: works" : words(runtime.breaker)}<//></td>
                <td class="number">${count(runtime.failures)}</td>
                <td class="number">${ms(runtime.retry_after_ms)}</td>
              </tr>`,
            )}
          </tbody>
        </table></div>
      </section>
    </div>
    <${Classes} classes=${pool.classes} />
    ${pool.provisioned.length > 0 && html`<${Provisioned} provisioned=${pool.provisioned} names=${names} />`}
    <section class="panel" aria-labelledby="counters-title">
      <h2 id="counters-title">Since the server started</h2>
      <${Facts} pairs=${COUNTERS.map(([name, label]) => [label, count(pool.counters[name])])} />
    </section>
  `;
}

function States({ of }) {
  const label = STATES.map(([state, what]) => `${of[state]} ${what}`).join(", ");
  return html`<div class="states" role="img" aria-label=${label}>
    ${STATES.map(([state]) => of[state] > 0 && html`<span key=${state} class=${`state-${state}`} style=${{ flexGrow: of[state] }}></span>`)}
  </div>`;
}

function Memory({ pool }) {
  const part = share(pool.memory_mib, pool.memory_mib_max);
  return html`<div class="gauge">
    <svg width="100%" height="14" role="img" aria-label=${`${part} of the memory budget is taken`}>
      <rect class="used" width=${`${Math.min(100, (100 * pool.memory_mib) / Math.max(1, pool.memory_mib_max))}%`} height="14" rx="6" />
    </svg>
    <small>${mib(pool.memory_mib)} of ${mib(pool.memory_mib_max)} (${part})</small>
  </div>`;
}

function Classes({ classes }) {
  return html`<section class="panel flush" aria-labelledby="classes-title">
    <h2 id="classes-title" class="flush-title">Classes of sandboxes</h2>
    ${classes.length === 0
      ? html`<p class="quiet flush-title">No sandboxes at the moment; the first call makes one.</p>`
      : html`<div class="scroll" tabindex="0" role="region" aria-label="Classes of sandboxes">
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">Runtime</th><th scope="col">Language</th><th scope="col">Size</th>
                <th scope="col" class="number">Serving</th><th scope="col" class="number">Warm</th><th scope="col" class="number">Prewarmed</th>
                <th scope="col" class="number">Creating</th><th scope="col" class="number">Removing</th><th scope="col" class="number">Waiting calls</th><th scope="col" class="number">Memory</th>
              </tr>
            </thead>
            <tbody>
              ${classes.map(
                (own) => html`<tr key=${JSON.stringify([own.runtime, own.language, own.image, own.memory_mib, own.tmp_mib, own.cpus, own.network])}>
                  <td class="strong">${own.runtime}</td>
                  <td>${own.language}${own.image && html` <small>${own.image}</small>`}</td>
                  <td>${mib(own.memory_mib)}, ${own.cpus} ${own.cpus === 1 ? "CPU" : "CPUs"}${own.network !== "none" && html` <small>network ${own.network}</small>`}</td>
                  <td class="number">${own.busy}</td>
                  <td class="number">${own.idle}</td>
                  <td class="number">${own.prewarmed} <small>of ${own.prewarmed_target}</small></td>
                  <td class="number">${own.creating}</td>
                  <td class="number">${own.removing}</td>
                  <td class="number">${own.waiting}</td>
                  <td class="number">${mib(own.total_memory_mib)}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>`}
  </section>`;
}

function Provisioned({ provisioned, names }) {
  return html`<section class="panel" aria-labelledby="provisioned-title">
    <h2 id="provisioned-title">Kept warm</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Kept warm"><table>
      <thead><tr><th scope="col">Function</th><th scope="col">Runtime</th><th scope="col" class="number">Warm</th><th scope="col" class="number">Coming</th><th scope="col" class="number">Failures</th></tr></thead>
      <tbody>
        ${provisioned.map(
          (own) => html`<tr key=${`${own.function_id} ${own.version} ${own.runtime}`}>
            <td class="strong">${names.get(own.function_id) ?? own.function_id} <small>v${own.version}</small></td>
            <td>${own.runtime}</td>
            <td class="number">${own.warm} <small>of ${own.min_warm}</small></td>
            <td class="number">${own.coming}</td>
            <td class="number">${own.failures}</td>
          </tr>`,
        )}
      </tbody>
    </table></div>
  </section>`;
}
