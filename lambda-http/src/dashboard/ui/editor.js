// A text area over coloured text: typing, selection, undo and screen readers are the browser's own.

import { html, useMemo, useRef } from "../lib/html.js";
import { highlight } from "./highlight.js";

const INDENT = { python: "    ", javascript: "  ", json: "  " };

/** Types text as a person would, so that undo knows of it. */
function insert(area, text) {
  if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
}

function lineBefore(area) {
  const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  return area.value.slice(start, area.selectionStart);
}

/** Indents, or takes indentation away from, every line of the selection. */
function shift(area, indent, isBack) {
  const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  const end = area.selectionEnd;
  const lines = area.value.slice(start, end).split("\n");
  const back = new RegExp(`^ {1,${indent.length}}|^\t`);
  const text = lines.map((line) => (isBack ? line.replace(back, "") : indent + line)).join("\n");
  area.setSelectionRange(start, end);
  insert(area, text);
  if (lines.length > 1) area.setSelectionRange(start, start + text.length);
}

export function Editor({ id, label, value, language, onInput, onSave, onRun, rows = 12, isReadOnly = false, describedBy = "" }) {
  // Tab passes by whoever came by Tab, and indents once one works in it.
  const isLeaving = useRef(true);
  const parts = useMemo(() => highlight(value, language), [value, language]);
  const numbers = useMemo(() => {
    const count = value.split("\n").length;
    return Array.from({ length: count }, (_, index) => index + 1).join("\n");
  }, [value]);
  const indent = INDENT[language] ?? "  ";

  const onKeyDown = (event) => {
    const area = event.currentTarget;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key === "Enter" && onRun) {
      event.preventDefault();
      onRun();
    } else if (isCommand && event.key === "s" && onSave) {
      event.preventDefault();
      onSave();
    } else if (event.key === "Escape") {
      isLeaving.current = true;
      return;
    } else if (event.key === "Tab" && !isReadOnly && !isCommand && !event.altKey && !isLeaving.current) {
      event.preventDefault();
      if (event.shiftKey || area.selectionStart !== area.selectionEnd) shift(area, indent, event.shiftKey);
      else insert(area, indent);
    } else if (event.key === "Enter" && !isReadOnly && !isCommand && !event.isComposing) {
      event.preventDefault();
      const line = lineBefore(area);
      const own = /^[ \t]*/.exec(line)[0];
      insert(area, `\n${own}${/[:{[(]\s*$/.test(line) ? indent : ""}`);
    }
    if (event.key !== "Shift" && event.key !== "Tab") isLeaving.current = false;
  };

  return html`<div class="editor-frame">
    <div class="editor" data-rows=${rows}>
      <pre class="editor-numbers" aria-hidden="true">${numbers}</pre>
      <div class="editor-sheet">
        <pre class="editor-colours" aria-hidden="true">${parts}${"\n"}</pre>
        <textarea
          id=${id}
          aria-label=${label}
          aria-describedby=${`${id}-keys ${describedBy}`}
          spellcheck=${false}
          autocapitalize="off"
          autocomplete="off"
          wrap="off"
          readonly=${isReadOnly}
          value=${value}
          onInput=${(event) => onInput?.(event.currentTarget.value)}
          onKeyDown=${onKeyDown}
          onFocus=${() => {
            isLeaving.current = true;
          }}
          onClick=${() => {
            isLeaving.current = false;
          }}
        ></textarea>
      </div>
    </div>
    <small id=${`${id}-keys`} class="visually-hidden">Tab indents. To leave the editor by the keyboard, press Escape, then Tab.</small>
  </div>`;
}
