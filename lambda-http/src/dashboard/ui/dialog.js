// Questions that must be answered before something is lost.

import { html, useEffect, useRef } from "../lib/html.js";

export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  useEffect(() => {
    element.current.showModal();
  }, []);
  return html`<dialog ref=${element} aria-labelledby="dialog-title" onClose=${onClose}>
    <h2 id="dialog-title">${title}</h2>
    ${children}
  </dialog>`;
}

/** Asks, and does `onYes` if so. Escape means no. */
export function Confirm({ title, yes, onYes, onNo, children }) {
  return html`<${Dialog} title=${title} onClose=${onNo}>
    <div class="stack">${children}</div>
    <div class="bar end">
      <button type="button" onClick=${onNo}>Cancel</button>
      <button type="button" class="danger solid" id="confirm-yes" onClick=${onYes}>${yes}</button>
    </div>
  <//>`;
}
