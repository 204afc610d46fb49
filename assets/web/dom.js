// Elements without a framework, and what is said to everybody: toasts for the eye, live regions for the ear.

export const $ = (id) => document.getElementById(id);

/** A text with `code` in it as nodes. */
function phrase(words) {
  if (typeof words !== "string" || !words.includes("`")) return [words];
  return words.split("`").map((part, i) => {
    if (i % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

/** Makes an element: `el("p", { class: "dim", on: { click } }, "text", child)`. Texts are never markup. */
export function el(name, set = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(set)) {
    if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...inside.flat().filter((part) => part != null && part !== false).flatMap(phrase));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
/** One of the page's own shapes. */
export function shape(id, kind = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", kind);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${id}`);
  svg.append(use);
  return svg;
}

/** Sets a text only where it is another one: nothing is laid out anew for sameness. */
export function text(element, words) {
  if (element.textContent !== words.replaceAll("`", "")) element.replaceChildren(...phrase(words));
}
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}
export function mark(svg, kind) {
  const use = svg.firstElementChild;
  if (use.getAttribute("href") !== `#m-${kind}`) use.setAttribute("href", `#m-${kind}`);
}

/** Says what became of something. */
export function tell(words, good = true) {
  // The answer and the news of it say the same.
  if ([...$("toasts").children].some((note) => note.textContent === words.replaceAll("`", ""))) return;
  const note = el("p", { class: good ? "" : "bad" }, words);
  $("toasts").append(note);
  setTimeout(() => note.remove(), good ? 5000 : 12000);
  ($(good ? "said" : "alarm")).textContent = words;
}

/** Opens the dialog with a title and a body; it is closed by Escape and by the buttons that are given. */
export function ask(title, ...body) {
  const dialog = $("dialog");
  dialog.replaceChildren(el("h2", { id: "dialog-title" }, title), ...body);
  if (!dialog.open) dialog.showModal();
  return dialog;
}
