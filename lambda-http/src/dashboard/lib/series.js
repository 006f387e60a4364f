// Figures over time, with a point for every bucket: the server sends only those with calls.

/** Points from `fromMs` to `toMs`, one each `stepMs`; where there are no figures, null. */
export function fillSeries(points, fromMs, toMs, stepMs) {
  const known = new Map(points.map((point) => [Date.parse(point.start), point]));
  const filled = [];
  for (let at = Math.floor(fromMs / stepMs) * stepMs; at < toMs; at += stepMs) {
    filled.push({ at: at / 1000, figures: known.get(at) ?? null });
  }
  return filled;
}
