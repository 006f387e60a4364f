// Code as coloured text. What comes out are elements, never markup.

import { html } from "../lib/html.js";
import { tokenizeWith } from "../vendor/speed-highlight/tokenize.js";
import js from "../vendor/speed-highlight/languages/js.js";
import json from "../vendor/speed-highlight/languages/json.js";
import py from "../vendor/speed-highlight/languages/py.js";

const LANGUAGES = { js, json, py };
const GRAMMARS = { python: py, javascript: js, json };

/** Longer code stays plain, so that typing stays quick. */
const HIGHLIGHT_MAX = 60_000;

export function highlight(text, language) {
  const grammar = GRAMMARS[language];
  if (!grammar || text.length > HIGHLIGHT_MAX) return [text];
  const parts = [];
  tokenizeWith(
    text,
    grammar,
    (part, kind) => {
      if (part !== "") parts.push(kind ? html`<span class=${`tok-${kind}`}>${part}</span>` : part);
    },
    { languages: LANGUAGES },
  );
  return parts;
}
