// Bars: a length for the eye, and the same as figures beside it.

import { count, share } from "../lib/format.js";
import { html } from "../lib/html.js";

/** `rows` of `{name, href, calls, errors}`, the longest first. */
export function CallBars({ title, rows, more }) {
  const most = Math.max(1, ...rows.map(({ calls }) => calls));
  return html`<section class="panel chart" aria-label=${title}>
    <div class="caption">
      <h3>${title}</h3>
      <span class="key"><span><span class="dot calls" aria-hidden="true"></span>calls</span><span><span class="dot errors" aria-hidden="true"></span>errors</span></span>
    </div>
    <ul class="bars" id="bars">
      ${rows.map(
        ({ name, href, calls, errors }) => html`<li key=${name}>
          <a href=${href}>${name}</a>
          <span class="bar-track" aria-hidden="true">
            <svg width="100%" height="12" preserveAspectRatio="none">
              <rect class="calls" width=${`${(100 * calls) / most}%`} height="12" rx="3" />
              <rect class="errors" width=${`${(100 * errors) / most}%`} height="12" rx="3" />
            </svg>
          </span>
          <span class="bar-figures">${count(calls)} ${calls === 1 ? "call" : "calls"}, <span class=${errors > 0 ? "some" : ""}>${errors === 0 ? "no errors" : `${count(errors)} ${errors === 1 ? "error" : "errors"} (${share(errors, calls)})`}</span></span>
        </li>`,
      )}
    </ul>
    ${more > 0 && html`<small>and ${count(more)} more functions</small>`}
  </section>`;
}
