// The language: texts by identifier, filled with values. What has no text is said as its identifier, and noted
// on the root element, where a test looks.

let texts = {};
let chosen = "en";
const missing = new Set();

/** Loads a language; true when it is there. */
export async function load(id) {
  const answer = await fetch(`/words/${encodeURIComponent(id)}.json`);
  if (!answer.ok) return false;
  texts = await answer.json();
  chosen = id;
  document.documentElement.lang = id;
  return true;
}

export const language = () => chosen;
export const has = (id) => Object.hasOwn(texts, id);

/** Says `id` of the file with `values` in its gaps. */
export function say(id, values = {}) {
  const text = texts[id];
  if (text === undefined) {
    missing.add(id);
    document.documentElement.dataset.missing = [...missing].join(" ");
    return id;
  }
  return text.replace(/\{([a-z0-9_]+)\}/g, (_, name) => values[name] ?? "?");
}

/** A text of the page. */
export const t = (id, values) => say(`page.${id}`, values);
/** A text of the panel. */
export const p = (id, values) => say(`panel.${id}`, values);
/** One of two texts by the number: `id-one` for 1. */
export const n = (id, count, values = {}) => t(count === 1 ? `${id}-one` : id, { count, ...values });

/** Fills all elements that name a text. */
export function dress(root) {
  for (const e of root.querySelectorAll("[data-t]")) e.textContent = t(e.dataset.t);
  for (const e of root.querySelectorAll("[data-label]")) e.setAttribute("aria-label", t(e.dataset.label));
}

const whole = (part) => Math.round(Math.min(1, Math.max(0, part)) * 100);
/** Whole percent; the ends are never certain. */
export function percent(part) {
  const n = whole(part);
  return n === 0 ? "<1" : n >= 100 ? ">99" : String(n);
}
/** An interval in whole percent. */
export const interval = ([low, high]) => `${whole(low)}–${whole(high)} %`;
/** A time of day and a date as the language writes them. */
export const when = (at) => new Intl.DateTimeFormat(chosen, { dateStyle: "medium", timeStyle: "medium" }).format(at);
/** Bytes, rounded. */
export function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000 || unit === "GB") return `${n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)}\u00a0${unit}`;
    n /= 1000;
  }
}
