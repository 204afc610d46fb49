// Rectangles on the picture, moved and resized by mouse, finger and arrow keys. Knows only the scanner's pixels and
// where the picture is on the page.

import { el } from "./dom.js";
import { now } from "./link.js";
import { t } from "./words.js";

/** Regions that a person set, by name, `[x0, y0, x1, y1]` in the scanner's pixels. */
export class Regions extends EventTarget {
  constructor(over) {
    super();
    this.over = over;
    this.all = new Map();
    this.found = [];
    this.chosen = null;
    over.addEventListener("pointerdown", (event) => this.#down(event));
  }

  get screen() {
    // A card in the picture's place has a size of its own.
    const { width, height } = (now.frame?.card == null && now.frame?.screen) || {};
    return width ? [width, height] : (now.reading?.size ?? [1920, 1080]);
  }

  get(name) {
    return this.all.get(name)?.area ?? null;
  }

  names(prefix) {
    return [...this.all.keys()].filter((name) => name.startsWith(prefix));
  }

  /** Puts a region there, or takes it away (`null`). */
  set(name, area, kind = name) {
    const old = this.all.get(name);
    if (!area) {
      old?.button.remove();
      this.all.delete(name);
      if (this.chosen === name) this.chosen = null;
    } else if (old) {
      old.area = this.#within(area);
    } else {
      const corners = ["nw", "ne", "sw", "se"].map((c) => el("i", { "data-c": c, "aria-hidden": "true" }));
      const button = el("button", { type: "button", class: `region ${kind}`, "data-name": name }, el("span", { "aria-hidden": "true" }), corners);
      button.addEventListener("focus", () => this.choose(name));
      button.addEventListener("keydown", (event) => this.#key(event, name));
      this.over.append(button);
      this.all.set(name, { area: this.#within(area), button, kind });
    }
    this.place();
  }

  choose(name) {
    if (this.chosen === name) return;
    this.chosen = name;
    this.place();
    this.dispatchEvent(new Event("choose"));
  }

  clear() {
    for (const name of [...this.all.keys()]) this.set(name, null);
  }

  /** Shows what was found, thin, under what was set. `[[kind, words, area], …]`. */
  showFound(found) {
    const same = JSON.stringify(found);
    if (same === this.said) return;
    this.said = same;
    for (const each of this.found) each.remove();
    this.found = found.map(([kind, words, area]) => {
      const made = el("div", { class: `region found ${kind}` }, el("span", {}, words));
      made.area = area;
      return made;
    });
    this.over.prepend(...this.found);
    this.place();
  }

  /** Brings all to their place on the page. */
  place() {
    const [w, h] = this.screen;
    // Another size of the picture: what was set stays where it was on it.
    const [ow, oh] = this.size ?? [w, h];
    if (ow !== w || oh !== h) {
      for (const each of this.all.values()) each.area = each.area.map((v, i) => Math.round(i % 2 ? (v * h) / oh : (v * w) / ow));
    }
    this.size = [w, h];
    const put = (element, [x0, y0, x1, y1]) => {
      element.style.left = `${(x0 / w) * 100}%`;
      element.style.top = `${(y0 / h) * 100}%`;
      element.style.width = `${((x1 - x0) / w) * 100}%`;
      element.style.height = `${((y1 - y0) / h) * 100}%`;
    };
    for (const each of this.found) put(each, each.area);
    for (const [name, { area, button, kind }] of this.all) {
      put(button, area);
      const words = t(`region-${kind}`, { number: name.split("-").at(-1) });
      button.firstElementChild.textContent = words;
      const [x0, y0, x1, y1] = area;
      button.setAttribute("aria-label", t("region-at", { name: words, x: x0, y: y0, width: x1 - x0, height: y1 - y0 }));
      button.setAttribute("aria-description", t("regions-how"));
      button.classList.toggle("chosen", name === this.chosen);
    }
  }

  #within([x0, y0, x1, y1]) {
    const [w, h] = this.screen;
    const clamp = (v, most) => Math.round(Math.min(most, Math.max(0, v)));
    const [ax, bx] = [clamp(Math.min(x0, x1), w - 8), clamp(Math.max(x0, x1), w)];
    const [ay, by] = [clamp(Math.min(y0, y1), h - 8), clamp(Math.max(y0, y1), h)];
    return [ax, ay, Math.max(bx, ax + 8), Math.max(by, ay + 8)];
  }

  #moved([x0, y0, x1, y1], dx, dy) {
    const [w, h] = this.screen;
    const sx = Math.min(w - x1, Math.max(-x0, dx));
    const sy = Math.min(h - y1, Math.max(-y0, dy));
    return [x0 + sx, y0 + sy, x1 + sx, y1 + sy];
  }

  #change(name, area) {
    this.all.get(name).area = this.#within(area);
    this.place();
    this.dispatchEvent(new Event("change"));
  }

  #key(event, name) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("remove", { detail: name }));
      return;
    }
    if (!move || event.altKey || event.metaKey) return;
    event.preventDefault();
    // A key that is held goes faster; Ctrl goes ten pixels at once.
    this.held = event.repeat ? (this.held ?? 0) + 1 : 0;
    const step = event.ctrlKey ? 10 : this.held > 12 ? 8 : this.held > 4 ? 3 : 1;
    const [dx, dy] = move.map((v) => v * step);
    const [x0, y0, x1, y1] = this.get(name);
    this.#change(name, event.shiftKey ? [x0, y0, Math.max(x0 + 8, x1 + dx), Math.max(y0 + 8, y1 + dy)] : this.#moved([x0, y0, x1, y1], dx, dy));
  }

  #down(event) {
    if (event.button !== 0) return;
    const box = this.over.getBoundingClientRect();
    const [w, h] = this.screen;
    const at = (e) => [((e.clientX - box.left) / box.width) * w, ((e.clientY - box.top) / box.height) * h];
    const begin = at(event);
    const button = event.target.closest?.(".region:not(.found)");
    let name = button?.dataset.name;
    const corner = event.target.dataset?.c;
    let old = name ? this.get(name) : null;
    let drag;
    if (corner) {
      drag = ([x, y]) => [corner.includes("w") ? x : old[0], corner.includes("n") ? y : old[1], corner.includes("e") ? x : old[2], corner.includes("s") ? y : old[3]];
    } else if (name) {
      drag = ([x, y]) => this.#moved(old, x - begin[0], y - begin[1]);
    } else if (this.chosen) {
      // On the bare picture: the region that is chosen is drawn anew.
      name = this.chosen;
      drag = ([x, y]) => [...begin, x, y];
    } else return;
    event.preventDefault();
    this.choose(name);
    this.all.get(name).button.focus({ preventScroll: true });
    let went = false;
    const move = (e) => {
      const to = at(e);
      if (!went && Math.hypot(to[0] - begin[0], to[1] - begin[1]) < w / 300) return;
      went = true;
      this.#change(name, drag(to));
    };
    const up = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      if (went) this.dispatchEvent(new Event("done"));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  }
}

/** What a reading found, for `showFound`. */
export function found(layout) {
  if (!layout) return [];
  return [
    ["bmode", t("region-bmode"), layout.bmode_view],
    ["elastogram", t("region-elastogram"), layout.elastogram_view],
    ["box", "", layout.elastogram_box],
    ["box", "", layout.bmode_box],
    ...(layout.colour_bar ? [["box", t("region-bar"), layout.colour_bar.region ?? layout.colour_bar]] : []),
  ];
}
