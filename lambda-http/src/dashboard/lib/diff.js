// What changed between two texts, line by line (Myers, "An O(ND) Difference Algorithm", 1986).

const EDITS_MAX = 2000;

/**
 * Lines as `{kind: "same" | "removed" | "added", text, before, after}` with line numbers from 1, or
 * null where the texts differ too much to be worth comparing.
 */
export function diffLines(before, after) {
  const a = before.split("\n");
  const b = after.split("\n");
  const trace = search(a, b);
  if (trace === null) return null;
  const lines = [];
  let x = a.length;
  let y = b.length;
  for (let d = trace.length - 1; x > 0 || y > 0; d -= 1) {
    const v = trace[d];
    const k = x - y;
    const isDown = d > 0 && (k === -d || (k !== d && at(v, k - 1) < at(v, k + 1)));
    const previousK = isDown ? k + 1 : k - 1;
    const startX = d === 0 ? 0 : at(v, previousK);
    const startY = d === 0 ? 0 : startX - previousK;
    while (x > startX && y > startY) {
      lines.push({ kind: "same", text: a[x - 1], before: x, after: y });
      x -= 1;
      y -= 1;
    }
    if (d === 0) break;
    if (isDown) {
      lines.push({ kind: "added", text: b[y - 1], before: null, after: y });
      y -= 1;
    } else {
      lines.push({ kind: "removed", text: a[x - 1], before: x, after: null });
      x -= 1;
    }
  }
  return lines.reverse();
}

const at = (v, k) => v.get(k) ?? 0;

/** The furthest points of each number of edits, until the end is reached. */
function search(a, b) {
  const trace = [];
  let v = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(EDITS_MAX, a.length + b.length); d += 1) {
    trace.push(new Map(v));
    for (let k = -d; k <= d; k += 2) {
      const isDown = k === -d || (k !== d && at(v, k - 1) < at(v, k + 1));
      let x = isDown ? at(v, k + 1) : at(v, k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      v.set(k, x);
      if (x >= a.length && x - k >= b.length) return trace;
    }
  }
  return null;
}

/** Only what changed, with `context` lines around it; a gap is `{kind: "gap", count}`. */
export function hunks(lines, context = 3) {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, index) => {
    if (line.kind !== "same") near.fill(1, Math.max(0, index - context), index + context + 1);
  });
  const shown = [];
  lines.forEach((line, index) => {
    if (near[index]) shown.push(line);
    else if (shown.at(-1)?.kind === "gap") shown.at(-1).count += 1;
    else shown.push({ kind: "gap", count: 1 });
  });
  return shown;
}
