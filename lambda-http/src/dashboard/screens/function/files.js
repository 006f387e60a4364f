// What differs between two versions that are zip archives, file by file.

import { readBytes } from "../../lib/api.js";
import { diffLines, hunks } from "../../lib/diff.js";
import { bytes, count } from "../../lib/format.js";
import { html, useState } from "../../lib/html.js";
import { useLoad } from "../../lib/load.js";
import { ARCHIVE_BYTES_MAX, compareArchives, readArchive, textOf } from "../../lib/zip.js";
import { Chip, Failure, Loading } from "../../ui/basics.js";
import { Diff } from "../../ui/diff.js";

const SHOWN_MAX = 200;
const TEXT_BYTES_MAX = 128 * 1024;

const KINDS = { added: ["good", "added"], removed: ["open", "removed"], changed: ["half_open", "changed"], unknown: ["", "may differ"] };

/** `before` and `after` are versions of one function. */
export function FileChanges({ before, after }) {
  if (Math.max(before.code_size_bytes, after.code_size_bytes) > ARCHIVE_BYTES_MAX) {
    return html`<p class="quiet">The archives differ. They are too large to be compared here (more than ${bytes(ARCHIVE_BYTES_MAX)}).</p>`;
  }
  return html`<${Archives} before=${before} after=${after} />`;
}

function Archives({ before, after }) {
  const load = useLoad(
    async (signal) => {
      const read = async ({ id, version }) => readArchive(await readBytes(`functions/${id}/code?qualifier=${version}`, { signal }));
      return compareArchives(await read(before), await read(after));
    },
    `${before.code_sha256} ${after.code_sha256}`,
  );
  if (load.data === null) return load.error ? html`<${Failure} error=${load.error} retry=${load.reload} />` : html`<${Loading} />`;
  const differences = load.data;
  if (differences.length === 0) return html`<p class="quiet">The archives differ, and the files in them are the same.</p>`;
  const rest = differences.length - SHOWN_MAX;
  return html`
    <ul class="files" aria-label="Files that changed">
      ${differences.slice(0, SHOWN_MAX).map((one) => html`<${File} key=${one.path} difference=${one} />`)}
    </ul>
    ${rest > 0 && html`<p class="quiet">And ${count(rest)} more.</p>`}
  `;
}

function File({ difference: { path, kind, before, after } }) {
  const [style, word] = KINDS[kind];
  const size = [before, after].filter(Boolean).map((file) => bytes(file.size));
  const head = html`<span class="file-path">${path}</span> <${Chip} kind=${style}>${word}<//> <small>${[...new Set(size)].join(" → ")}</small>`;
  const [isOpen, setIsOpen] = useState(false);
  if (kind !== "changed") return html`<li class="file">${head}</li>`;
  return html`<li>
    <details onToggle=${(event) => setIsOpen(event.currentTarget.open)}>
      <summary class="file">${head}</summary>
      ${isOpen && html`<${Text} path=${path} files=${[before, after]} />`}
    </details>
  </li>`;
}

function Text({ path, files }) {
  const load = useLoad(async () => {
    const [before, after] = await Promise.all(files.map((file) => textOf(file, TEXT_BYTES_MAX)));
    const lines = before === null || after === null ? null : diffLines(before, after);
    return { lines: lines && hunks(lines) };
  }, path);
  if (load.data === null) return load.error ? html`<${Failure} error=${load.error} />` : html`<${Loading} lines=${2} />`;
  const { lines } = load.data;
  if (lines === null) return html`<p class="quiet">It cannot be shown line by line: it is no text, or too much of it.</p>`;
  return html`<${Diff} lines=${lines} label=${`Changes of ${path}`} />`;
}
