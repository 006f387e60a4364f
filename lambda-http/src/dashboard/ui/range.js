// The span of time that figures are shown for.

import { html } from "../lib/html.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Word, label, length, and the bucket that gives some 15 to 400 points. */
export const RANGES = [
  ["15m", "Last 15 minutes", 15 * MINUTE, "minute"],
  ["1h", "Last hour", HOUR, "minute"],
  ["6h", "Last 6 hours", 6 * HOUR, "minute"],
  ["24h", "Last 24 hours", DAY, "hour"],
  ["7d", "Last 7 days", 7 * DAY, "hour"],
  ["30d", "Last 30 days", 30 * DAY, "day"],
  ["1y", "Last year", 365 * DAY, "day"],
];

export const BUCKET_MS = { minute: MINUTE, hour: HOUR, day: DAY };

export function rangeOf(word) {
  const [name, label, lengthMs, bucket] = RANGES.find(([own]) => own === word) ?? RANGES[1];
  return { name, label, lengthMs, bucket };
}

export function RangeSelect({ value, onChange, all = false }) {
  return html`<select id="range" aria-label="Time range" value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${all && html`<option value="" selected=${value === ""}>Any time</option>`}
    ${RANGES.map(([name, label]) => html`<option key=${name} value=${name} selected=${name === value}>${label}</option>`)}
  </select>`;
}

export function Select({ id, label, value, options, onChange }) {
  return html`<select id=${id} aria-label=${label} value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${options.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === value}>${text}</option>`)}
  </select>`;
}

/** The functions to choose from; one that is gone stays a choice while it is chosen. */
export function FunctionSelect({ functions, value, onChange }) {
  const names = functions.map(({ name }) => name);
  if (value && !names.includes(value)) names.unshift(value);
  return html`<${Select} id="function" label="Function" value=${value} onChange=${onChange} options=${[["", "All functions"], ...names.map((name) => [name, name])]} />`;
}

export function RuntimeSelect({ value, onChange }) {
  return html`<${Select} id="runtime" label="Runtime" value=${value} onChange=${onChange} options=${[["", "All runtimes"], ["docker", "Docker"], ["gvisor", "gVisor"]]} />`;
}
