// Differences, line by line.

import { html } from "../lib/html.js";

const MARKS = { same: " ", removed: "−", added: "+" };

/** `lines` as `hunks` of lib/diff.js makes them. */
export function Diff({ lines, label }) {
  return html`<div class="diff" role="region" aria-label=${label} tabindex="0">
    <table>
      <tbody>
        ${lines.map((line, index) =>
          line.kind === "gap"
            ? html`<tr key=${index} class="gap"><td colspan="4">${line.count} ${line.count === 1 ? "line" : "lines"} without changes</td></tr>`
            : html`<tr key=${index} class=${line.kind}>
                <td class="line">${line.before}</td><td class="line">${line.after}</td>
                <td class="mark">${MARKS[line.kind]}<span class="visually-hidden">${line.kind === "same" ? "" : line.kind}</span></td>
                <td class="text">${line.text}</td>
              </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
