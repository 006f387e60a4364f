// A file instead of typing: dropped, or chosen.

import { html, useRef, useState } from "../lib/html.js";

const ZIP_MAX = 50 * 1024 * 1024;

/** `onFile({file, text})`: `text` is null for a zip archive. */
export function Upload({ id = "upload", label = "Upload a file or a zip", onFile, onError }) {
  const [isOver, setIsOver] = useState(false);
  const input = useRef(null);
  const take = async (file) => {
    if (!file) return;
    const isZip = /\.zip$/i.test(file.name) || file.type === "application/zip";
    if (file.size > ZIP_MAX) {
      onError(new Error("The file is larger than 50 MiB."));
      return;
    }
    onFile({ file, text: isZip ? null : await file.text() });
  };
  return html`<div
    class=${`upload ${isOver ? "over" : ""}`}
    onDragOver=${(event) => {
      event.preventDefault();
      setIsOver(true);
    }}
    onDragLeave=${() => setIsOver(false)}
    onDrop=${(event) => {
      event.preventDefault();
      setIsOver(false);
      take(event.dataTransfer.files[0]);
    }}
  >
    <label class="button" for=${id}>${label}</label>
    <input
      type="file"
      class="visually-hidden"
      id=${id}
      ref=${input}
      accept=".py,.js,.mjs,.cjs,.zip"
      onChange=${(event) => {
        take(event.currentTarget.files[0]);
        event.currentTarget.value = "";
      }}
    />
    <small>or drop it here</small>
  </div>`;
}
