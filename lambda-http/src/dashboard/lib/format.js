// Figures and times as people read them.

/** Milliseconds. */
export function ms(value) {
  if (value == null) return "–";
  if (value >= 1000) return `${Number((value / 1000).toFixed(value >= 10_000 ? 1 : 2)).toLocaleString()} s`;
  if (value >= 100) return `${Math.round(value)} ms`;
  return `${Number(value.toFixed(value >= 10 ? 1 : 2))} ms`;
}

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} KiB`;
  return `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

export function mib(value) {
  if (value == null) return "–";
  return value >= 1024 ? `${Number((value / 1024).toFixed(1))} GiB` : `${value} MiB`;
}

export const count = (value) => value.toLocaleString();

/** A part of a whole, as a percentage. */
export function share(part, whole) {
  if (whole === 0) return "–";
  const percent = (100 * part) / whole;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** A time, with its date unless that is today. */
export function when(text) {
  const time = new Date(text);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** How long ago a time was. */
export function ago(text) {
  const seconds = Math.max(0, (Date.now() - new Date(text)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(text).toLocaleDateString([], { dateStyle: "medium" });
}

/** `out_of_memory` as "out of memory". */
export const words = (text) => text.replaceAll("_", " ");
