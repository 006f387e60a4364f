// The files of two zip archives, and what differs between them. The browser inflates.

/** Larger archives are not compared here. */
export const ARCHIVE_BYTES_MAX = 8 * 1024 * 1024;
const FILES_MAX = 2000;
/** Most that is inflated of one archive: what is packed tightly may be very large. */
const INFLATED_BYTES_MAX = 32 * 1024 * 1024;

const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;
const [STORED, DEFLATED] = [0, 8];

/** Reads the directory of an archive: its files by path. Throws where it is none, or has too many. */
export function readArchive(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  if (count > FILES_MAX) throw new Error(`An archive has more than ${FILES_MAX} files.`);
  const files = new Map();
  let at = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index += 1) {
    expect(at + 46 <= end && view.getUint32(at, true) === 0x02014b50);
    const nameBytes = view.getUint16(at + 28, true);
    const path = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    const file = {
      path,
      method: view.getUint16(at + 10, true),
      size: view.getUint32(at + 24, true),
      packed: packedBytes(bytes, view, view.getUint32(at + 42, true), view.getUint32(at + 20, true)),
    };
    if (!path.endsWith("/")) files.set(path, file);
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return { files, left: INFLATED_BYTES_MAX };
}

function findEnd(view) {
  const first = Math.max(0, view.byteLength - END_BYTES - COMMENT_BYTES_MAX);
  for (let at = view.byteLength - END_BYTES; at >= first; at -= 1) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  return expect(false);
}

function packedBytes(bytes, view, at, size) {
  expect(at + 30 <= bytes.length && view.getUint32(at, true) === 0x04034b50);
  const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  expect(start + size <= bytes.length);
  return bytes.subarray(start, start + size);
}

function expect(holds) {
  if (!holds) throw new Error("An archive cannot be read here.");
}

/** A file's bytes, or null where that would be too much, or where it is packed in another way. */
async function inflate(archive, { method, size, packed }) {
  if (method === STORED) return packed;
  if (method !== DEFLATED || size > archive.left) return null;
  archive.left -= size;
  const inflated = new Uint8Array(size);
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (let filled = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return filled === size ? inflated : null;
    // More than it says of itself.
    if (filled + value.length > size) {
      reader.cancel().catch(() => {});
      return null;
    }
    inflated.set(value, filled);
    filled += value.length;
  }
}

const isSame = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);

/**
 * What differs, by path: `{path, kind: "added" | "removed" | "changed" | "unknown", before, after}`,
 * the last two with `size`. Unknown: too much to be inflated here.
 */
export async function compareArchives(before, after) {
  const differences = [];
  for (const path of [...new Set([...before.files.keys(), ...after.files.keys()])].sort()) {
    const [old, now] = [before.files.get(path), after.files.get(path)];
    const kind = old === undefined ? "added" : now === undefined ? "removed" : await compare(before, old, after, now);
    if (kind !== "same") differences.push({ path, kind, before: old, after: now });
  }
  return differences;
}

async function compare(before, old, after, now) {
  if (old.size !== now.size) return "changed";
  if (old.method === now.method && isSame(old.packed, now.packed)) return "same";
  // The same bytes may be packed in two ways.
  const [a, b] = [await inflate(before, old), await inflate(after, now)];
  if (a === null || b === null) return "unknown";
  return isSame(a, b) ? "same" : "changed";
}

/** A file as text, or null where it is none, or has more than `bytesMax`. */
export async function textOf(file, bytesMax) {
  if (file.size > bytesMax) return null;
  const bytes = await inflate({ left: bytesMax }, file);
  if (bytes === null || bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
