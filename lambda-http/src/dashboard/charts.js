// Two small charts in SVG, drawn at the size at which they are shown.

import { ms } from "./dom.js";

const HEIGHT = 220;
const LEFT = 52;
const TOP = 10;
const BOTTOM = 26;
const PLOT = HEIGHT - TOP - BOTTOM;

function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function frame(width, label, ticks) {
  const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label });
  for (const [y, text] of ticks) {
    svg.append(
      s("line", { class: "axis", x1: LEFT, x2: width, y1: y, y2: y }),
      s("text", { class: "tick", x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text),
    );
  }
  return svg;
}

/** 1, 2 or 5 times a power of ten, at least `value`. */
function niceStep(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value);
}

/** Calls and errors of each function, side by side. */
export function bars(functions, width) {
  const most = Math.max(1, ...functions.map((fn) => fn.calls));
  const step = Math.max(1, niceStep(most / 4));
  const top = step * Math.ceil(most / step);
  const y = (value) => TOP + PLOT * (1 - value / top);
  const ticks = [];
  for (let value = 0; value <= top; value += step) ticks.push([y(value), value.toLocaleString()]);
  const text = functions.map((fn) => `${fn.name}: ${fn.calls} calls, ${fn.errors} errors`).join("; ");
  const svg = frame(width, `Calls and errors. ${text}`, ticks);

  const slot = (width - LEFT) / functions.length;
  const bar = Math.min(28, slot * 0.34);
  functions.forEach((fn, index) => {
    const middle = LEFT + slot * (index + 0.5);
    const group = s("g", {}, s("title", {}, `${fn.name}: ${fn.calls} calls, ${fn.errors} errors`));
    const add = (kind, value, x) => {
      // One error in a thousand calls is still seen.
      const height = value === 0 ? 0 : Math.max(2, y(0) - y(value));
      group.append(s("rect", { class: kind, x, y: y(0) - height, width: bar, height, rx: Math.min(2, height) }));
    };
    add("calls", fn.calls, middle - bar - 1);
    add("errors", fn.errors, middle + 1);
    const room = Math.max(3, Math.floor(slot / 6.5));
    const name = fn.name.length > room ? `${fn.name.slice(0, room - 1)}…` : fn.name;
    group.append(s("text", { class: "tick", x: middle, y: HEIGHT - 8, "text-anchor": "middle" }, name));
    svg.append(group);
  });
  return svg;
}

/** Durations, oldest first. Cold and warm starts differ a hundredfold: powers of ten. */
export function line(runs, width) {
  const logs = runs.map((run) => Math.log10(Math.max(run.value, 0.01)));
  const low = Math.floor(Math.min(...logs));
  const high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
  const y = (log) => TOP + PLOT * (1 - (log - low) / (high - low));
  const inset = 6;
  const room = width - LEFT - 2 * inset;
  const x = (index) => LEFT + inset + (runs.length === 1 ? room / 2 : (room * index) / (runs.length - 1));
  const ticks = [];
  for (let power = low; power <= high; power += 1) {
    const value = 10 ** power;
    ticks.push([y(power), value >= 1000 ? `${value / 1000} s` : `${value} ms`]);
  }
  const latest = runs[runs.length - 1];
  const svg = frame(width, `Durations of ${runs.length} runs; the latest took ${ms(latest.value)}.`, ticks);

  const points = logs.map((log, index) => `${x(index).toFixed(1)},${y(log).toFixed(1)}`);
  svg.append(s("polyline", { class: "line", points: points.join(" ") }));
  runs.forEach((run, index) => {
    const kind = run.isError ? "errors" : "calls";
    svg.append(s("circle", { class: kind, cx: x(index), cy: y(logs[index]), r: 3 }, s("title", {}, run.label)));
  });
  svg.append(
    s("text", { class: "tick", x: LEFT, y: HEIGHT - 8 }, "oldest"),
    s("text", { class: "tick", x: width, y: HEIGHT - 8, "text-anchor": "end" }, "latest"),
  );
  return svg;
}
