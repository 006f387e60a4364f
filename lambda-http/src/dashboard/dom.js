// Elements without markup: whatever a function returns becomes text, never HTML.

/** An element with attributes, listeners (`onclick: f`) and children (nodes or text). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** A failure, with what to do next. */
export function failure(error) {
  const lines = [h("strong", {}, error.message)];
  if (error.hint) lines.push(h("br"), error.hint);
  return h("p", { class: "notice bad", role: "alert" }, ...lines);
}

/** `<dl>` out of pairs. */
export function facts(pairs, className = "facts") {
  const items = pairs.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
  return h("dl", { class: className }, ...items);
}

/** Milliseconds as people read them. */
export function ms(value) {
  if (value >= 1000) return `${Number((value / 1000).toFixed(1)).toLocaleString()} s`;
  if (value >= 100) return `${Math.round(value)} ms`;
  return `${Number(value.toFixed(value >= 10 ? 1 : 2))} ms`;
}

/** A time, with its date unless that is today. */
export function when(text) {
  const time = new Date(text);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleString();
}
