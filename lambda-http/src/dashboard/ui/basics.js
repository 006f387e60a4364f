// The small parts that every screen is made of.

import { html } from "../lib/html.js";
import { words } from "../lib/format.js";

/** A failure, with what to do next. */
export function Failure({ error, retry }) {
  return html`<div class="notice bad" role="alert">
    <p><strong>${error.message}</strong>${error.hint && html` <span>${error.hint}</span>`}</p>
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

export function Notice({ children }) {
  return html`<p class="notice">${children}</p>`;
}

/** What stands where nothing is yet. */
export function Empty({ title, children }) {
  return html`<div class="empty">
    <span class="empty-mark" aria-hidden="true">λ</span>
    <h3>${title}</h3>
    ${children}
  </div>`;
}

/** Grey lines in place of what is being read. */
export function Loading({ lines = 4 }) {
  return html`<div class="skeleton" role="status" aria-label="Loading">
    ${Array.from({ length: lines }, (_, index) => html`<span key=${index}></span>`)}
  </div>`;
}

/** Data, or what stands in its place while and where there is none. */
export function Loaded({ load, lines, children }) {
  if (load.data === null && load.error) return html`<${Failure} error=${load.error} retry=${load.reload} />`;
  if (load.data === null) return html`<${Loading} lines=${lines} />`;
  return html`${load.error && html`<${Failure} error=${load.error} retry=${load.reload} />`}${children(load.data)}`;
}

export function Status({ status, title }) {
  return html`<span class=${`badge ${status}`} title=${title}>${words(status)}</span>`;
}

export const Chip = ({ children, kind = "" }) => html`<span class=${`chip ${kind}`}>${children}</span>`;

/** `[term, value]` pairs; nulls among them are left out. */
export function Facts({ pairs, kind = "facts" }) {
  return html`<dl class=${kind}>
    ${pairs.filter(Boolean).map(
      ([term, value, note]) => html`<div key=${term}>
        <dt>${term}</dt>
        <dd>${value}${note && html` <small>${note}</small>`}</dd>
      </div>`,
    )}
  </dl>`;
}

/** A labelled field; `children` is the control and carries the same `id`. */
export function Field({ id, label, hint, children, kind = "" }) {
  return html`<div class=${`field ${kind}`}>
    <label for=${id}>${label}</label>
    ${children}
    ${hint && html`<small id=${`${id}-hint`}>${hint}</small>`}
  </div>`;
}

/** One of a few, all of them seen. `options` are `[value, label, isDisabled]`. */
export function Choice({ legend, name, options, value, onChange }) {
  return html`<fieldset class="choice">
    <legend>${legend}</legend>
    <div>
      ${options.map(
        ([option, label, isDisabled]) => html`<label key=${option}>
          <input
            type="radio"
            name=${name}
            value=${option}
            checked=${option === value}
            disabled=${isDisabled}
            onChange=${() => onChange(option)}
          />
          <span>${label}</span>
        </label>`,
      )}
    </div>
  </fieldset>`;
}

/** Text as it was written, under a title. */
export function Block({ title, text, note, kind = "" }) {
  if (!text) return null;
  return html`<section class="block" aria-label=${title}>
    <h3>${title}</h3>
    <pre class=${kind} tabindex="0">${text}</pre>
    ${note && html`<small>${note}</small>`}
  </section>`;
}
