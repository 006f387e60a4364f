// A line chart (uPlot) with its figures as a table for those who cannot see it.

import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import uPlot from "../vendor/uplot/uplot.js";

const HEIGHT = 200;
const ROWS_MAX = 500;

const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const timeOf = (seconds, stepMs) =>
  new Date(seconds * 1000).toLocaleString([], stepMs >= 86_400_000 ? { dateStyle: "medium" } : { dateStyle: "short", timeStyle: "short" });

function options({ series, format, width, onPoint }) {
  const axis = {
    stroke: () => variable("--quiet"),
    grid: { stroke: () => variable("--grid"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    // Half of a time label hangs over at the right.
    padding: [8, 26, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, space: 70 },
      { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      {},
      ...series.map(({ label, colour, isFilled }) => ({
        label,
        stroke: () => variable(colour),
        fill: isFilled ? () => `${variable(colour)}22` : undefined,
        width: 2,
        spanGaps: true,
        points: { show: (chart, index) => isLonely(chart.data[index]), size: 5, fill: () => variable(colour) },
      })),
    ],
    hooks: { setCursor: [(chart) => onPoint(chart.cursor.idx ?? null)] },
  };
}

/** A value without neighbours makes no line; it is drawn as a point. */
const isLonely = (values) => values.filter((value) => value !== null).length <= 2;

/**
 * `times` in seconds; each of `series` has `label`, `colour` (a variable of the style sheet) and
 * `values`, null where there is none. `format` prints a value.
 */
export function LineChart({ title, times, stepMs, series, format }) {
  const box = useRef(null);
  const chart = useRef(null);
  const [point, setPoint] = useState(null);
  const data = useMemo(() => [times, ...series.map(({ values }) => values)], [times, series]);

  useEffect(() => {
    const { clientWidth } = box.current;
    const own = new uPlot(options({ series, format, width: clientWidth, onPoint: setPoint }), data, box.current);
    chart.current = own;
    const observer = new ResizeObserver(() => {
      if (box.current?.clientWidth > 0) own.setSize({ width: box.current.clientWidth, height: HEIGHT });
    });
    observer.observe(box.current);
    const redraw = () => own.redraw();
    window.addEventListener("themechange", redraw);
    return () => {
      observer.disconnect();
      window.removeEventListener("themechange", redraw);
      own.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(data), [data]);

  const at = point !== null && point < times.length ? point : null;
  return html`<figure class="panel chart">
    <figcaption>
      <h3>${title}</h3>
      <span class="key">
        ${series.map(
          ({ label, colour, values }) => html`<span key=${label}
            ><span class=${`dot ${colour.slice(2)}`} aria-hidden="true"></span>${label}${at !== null && html` <b>${values[at] === null ? "–" : format(values[at])}</b>`}</span
          >`,
        )}
        <span class="key-time" aria-hidden="true">${at !== null && timeOf(times[at], stepMs)}</span>
      </span>
    </figcaption>
    <div ref=${box} class="plot" role="img" aria-label=${summary(title, series, format)}></div>
    <${Figures} title=${title} times=${times} stepMs=${stepMs} series=${series} format=${format} />
  </figure>`;
}

function summary(title, series, format) {
  const parts = series.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${label}: none`;
    return `${label}: ${format(Math.min(...known))} to ${format(Math.max(...known))}, last ${format(known.at(-1))}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

function Figures({ title, times, stepMs, series, format }) {
  const [isOpen, setIsOpen] = useState(false);
  const rows = times.map((_, index) => index).filter((index) => series.some(({ values }) => values[index]));
  return html`<details class="figures" onToggle=${(event) => setIsOpen(event.currentTarget.open)}>
    <summary>As a table</summary>
    ${isOpen &&
    html`<div class="scroll" tabindex="0" role="region" aria-label=${`${title}, as a table`}>
      <table>
        <thead><tr><th scope="col">Time</th>${series.map(({ label }) => html`<th key=${label} scope="col" class="number">${label}</th>`)}</tr></thead>
        <tbody>
          ${rows.slice(-ROWS_MAX).reverse().map(
            (index) => html`<tr key=${times[index]}>
              <td>${timeOf(times[index], stepMs)}</td>
              ${series.map(({ label, values }) => html`<td key=${label} class="number">${values[index] === null ? "–" : format(values[index])}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`}
  </details>`;
}
