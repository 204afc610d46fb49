// Set-up by looking: six steps beside the picture. Begins nothing before a source is chosen or something is pinned;
// leaving brings back what ran.

import { $, ask, el, tell, text } from "./dom.js";
import { choices, refusal } from "./actions.js";
import { get, now, post, wire } from "./link.js";
import { Regions, found } from "./regions.js";
import { Trial } from "./trial.js";
import { has, n, say, t } from "./words.js";

let shown = false;
let told = null;
let regions = null;
let trial = null;
/** What was typed for a source's values, by source and value, and which are open. */
const typed = new Map();
const opened = new Set();
/** Pinned on this page, so that leaving asks first. */
let begun = false;

export function begin() {
  regions = new Regions($("over"));
  trial = new Trial();
  wire.addEventListener("reading", ({ detail }) => {
    if (!shown) return;
    trial.take(detail);
    regions.showFound(regions.get("bmode") ? [] : found(detail.layout));
  });
  wire.addEventListener("frame", () => shown && regions.place());
  // Another source, or somebody signed in: what a person has filled in stays.
  wire.addEventListener("hello", () => shown && load(now.hello.signed_in && $("steps").querySelector(".step") !== null));
  regions.addEventListener("change", () => dirty(true));
  regions.addEventListener("remove", ({ detail }) => take(detail));
}

export function open() {
  shown = true;
  draw();
  load();
}
export function close() {
  shown = false;
  trial.stop();
}
/** Says it anew, in another language. */
export const redress = () => shown && draw();

async function load(keep = false) {
  if (!now.hello) return;
  if (now.hello.signed_in) {
    try {
      told = await get("/api/setup");
      begun = told.active;
    } catch (error) {
      tell(refusal(error), false);
    }
  }
  if (!keep) return draw();
  sources();
  earlier();
}

const parts = {};

function step(number, id, ...body) {
  return el("section", { class: "card step", "aria-labelledby": `step-${id}` }, el("h2", { id: `step-${id}` }, el("b", { "aria-hidden": "true" }, String(number)), t(`step-${id}`)), body);
}

function draw() {
  if (!now.hello?.signed_in) {
    $("over").classList.add("off");
    $("steps").replaceChildren(el("p", { class: "card reason" }, now.hello ? t("why-sign-in") : t("connecting")));
    return;
  }
  $("over").classList.remove("off");
  const button = (id, act, kind = "") => el("button", { type: "button", id: `set-${id}`, class: kind, on: { click: act } }, t(`set-${id}`));
  parts.now = el("p", { class: "dim" });
  parts.sources = el("div", { class: "sources", role: "radiogroup", "aria-label": t("step-source"), tabindex: "-1" });
  sources();
  parts.scale = el("input", { id: "scale-max", type: "number", min: "0.5", max: "1000", step: "any", inputmode: "decimal", placeholder: "180" });
  parts.unit = el("select", { id: "scale-unit", "aria-label": t("scale-unit") }, el("option", { value: "kPa" }, "kPa"), el("option", { value: "m/s" }, "m/s"));
  parts.hard = choices("hard-end", t("hard-end"), [["", t("hard-found")], ["red", t("hard-red")], ["blue", t("hard-blue")]], "");
  parts.pin = button("pin", pin);
  parts.masks = el("ul", { class: "nodules" });
  parts.counts = el("div", {});
  trial.show(parts.counts);
  parts.name = el("input", { id: "preset-name", required: true, pattern: "[a-z0-9][a-z0-9\\-]{0,39}", maxlength: "40", autocomplete: "off", placeholder: "room-3", "aria-describedby": "name-how" });
  parts.saved = el("div", {});
  parts.earlier = el("p", { class: "dim" });
  $("steps").replaceChildren(
    step(1, "source", parts.now, parts.sources),
    step(
      2,
      "views",
      el("p", { class: "dim" }, t("views-how")),
      el("div", { class: "row" }, button("take-found", takeFound), button("box", () => add("box")), button("unpin", unpin)),
      el("div", { class: "row" }, el("button", { type: "button", class: "first", id: "set-pin-views", on: { click: pin } }, t("set-pin"))),
    ),
    step(
      3,
      "palette",
      parts.hard,
      el("label", { class: "field", for: "scale-max" }, t("scale-max")),
      el("div", { class: "row" }, el("span", { class: "grow" }, parts.scale), el("span", {}, parts.unit)),
      el("p", { class: "dim" }, t("scale-how")),
      el("div", { class: "row" }, parts.pin),
    ),
    step(4, "mask", el("p", { class: "dim" }, t("mask-how")), parts.masks, el("div", { class: "row" }, button("mask-add", () => add("mask")), button("mask-send", mask, "first"))),
    step(5, "try", el("p", { class: "dim" }, t("try-how")), el("div", { class: "row" }, button("try", () => trial.start(parts.counts), "first")), parts.counts),
    step(
      6,
      "save",
      el(
        "form",
        { class: "side", on: { submit: save } },
        el("label", { class: "field" }, t("preset-name"), parts.name),
        el("p", { class: "dim", id: "name-how" }, t("preset-name-how")),
        el("div", { class: "row" }, el("button", { class: "first", id: "set-save", type: "submit" }, t("set-save")), button("leave", leave)),
      ),
      parts.saved,
      parts.earlier,
    ),
  );
  earlier();
  maskList();
}

/** Names what was saved before, the chosen one with a tick. */
function earlier() {
  const names = (told?.saved ?? []).map(({ name, chosen }) => (chosen ? `✓ ${name}` : name)).join(", ");
  text(parts.earlier, names ? t("saved-before", { names }) : "");
}

function sources() {
  const chosen = told?.candidate ?? told?.original;
  const name = now.hello?.preset;
  text(parts.now, name ? t("source-now", { name }) : "");
  // The one that runs first, then those that can.
  const rank = (source) => (sameSource(source, chosen) ? 0 : source.problem ? 2 : 1);
  const list = (told?.sources ?? []).toSorted((a, b) => rank(a) - rank(b));
  parts.sources.replaceChildren(
    ...list.map((source, index) => {
      const id = `source-${index}`;
      const radio = el("input", { type: "radio", name: "source", id, value: source.preset, checked: sameSource(source, chosen), disabled: Boolean(source.problem) });
      radio.addEventListener("change", () => choose(source));
      const lines = [source.device, ...(source.sends ?? [])].filter(Boolean);
      return el(
        "div",
        { class: "source" },
        el(
          "label",
          { for: id },
          radio,
          el("span", {}, el("strong", {}, source.preset), ` ${source.what ?? ""}`),
          lines.map((line) => el("span", { class: "sends" }, line)),
          source.problem && el("span", { class: "sends" }, `▲ ${has(source.problem_id) ? say(source.problem_id) : source.problem}`),
        ),
        values(source),
      );
    }),
    list.length === 0 ? el("p", { class: "dim" }, t("no-sources")) : "",
  );
}

const keyOf = (source, param) => [source.preset, source.device, param?.name].join(" ");

/** Fields for what a person may type. */
function values(source) {
  if (source.problem || !source.params?.length) return null;
  const key = keyOf(source);
  const fields = source.params.map((param) => {
    const at = keyOf(source, param);
    const input = el("input", { type: param.secret ? "password" : "text", name: param.name, value: typed.get(at) ?? param.value ?? "", required: param.needed, autocomplete: "off", spellcheck: "false" });
    input.addEventListener("input", () => typed.set(at, input.value));
    return el("label", { class: "field" }, el("span", {}, el("strong", {}, param.name), ` ${param.what}`), input);
  });
  const take = (event) => {
    event.preventDefault();
    choose(source);
  };
  const form = el("form", { novalidate: true, on: { submit: take } }, fields, el("div", { class: "row" }, el("button", { type: "submit" }, t("source-take"))));
  const made = el("details", { class: "values", open: opened.has(key), "data-source": key }, el("summary", {}, t("source-values")), form);
  made.addEventListener("toggle", () => (made.open ? opened.add(key) : opened.delete(key)));
  return made;
}

/** What was typed; null where something is needed that was not. */
function given(source) {
  const params = source.device ? { device: source.device } : {};
  for (const param of source.params ?? []) {
    const said = typed.get(keyOf(source, param));
    if (said !== undefined && said !== (param.value ?? "")) params[param.name] = said;
    if (!param.needed || said) continue;
    const form = [...parts.sources.querySelectorAll("details")].find((each) => each.dataset.source === keyOf(source));
    form.open = true;
    form.querySelector(`[name="${param.name}"]`).focus();
    tell(t("source-needs", { name: param.name }), false);
    return null;
  }
  return params;
}

/** The candidate is a preset's name, or an object that names it and its device. */
function sameSource(source, chosen) {
  if (!chosen) return false;
  if (typeof chosen === "string") return source.preset === chosen;
  const device = chosen.params?.device ?? chosen.device;
  return source.preset === chosen.preset && (!device || !source.device || source.device === device);
}

async function choose(source) {
  const params = given(source);
  if (!params) return;
  await sent("/api/setup/source", { preset: source.preset, params }, (answer) => {
    told = answer.sources ? answer : told;
    regions.clear();
    maskList();
    tell(t("source-taken", { name: source.preset }));
  });
}

async function sent(path, body, done) {
  // From here on there is something to leave.
  begun = true;
  try {
    const answer = await post(path, body);
    done(answer);
    return answer;
  } catch (error) {
    tell(refusal(error), false);
    return null;
  }
}

function takeFound() {
  const layout = now.reading?.layout;
  const [w, h] = regions.screen;
  // Where nothing was found: two halves, to begin with.
  const bmode = layout?.bmode_view ?? [w * 0.05, h * 0.15, w * 0.45, h * 0.85];
  const elastogram = layout?.elastogram_view ?? [w * 0.55, h * 0.15, w * 0.95, h * 0.85];
  regions.set("bmode", bmode);
  regions.set("elastogram", elastogram);
  regions.choose("bmode");
  $("over").querySelector("[data-name=bmode]").focus();
  dirty(true);
  tell(t(layout ? "views-taken" : "views-placed"));
}

function add(kind) {
  const [w, h] = regions.screen;
  let name = kind;
  if (kind === "mask") {
    const numbers = regions.names("mask-").map((each) => Number(each.slice(5)));
    name = `mask-${Math.max(0, ...numbers) + 1}`;
    regions.set(name, [w * 0.05, h * 0.02, w * 0.35, h * 0.1], "mask");
  } else {
    const box = now.reading?.layout?.elastogram_box ?? [w * 0.6, h * 0.35, w * 0.85, h * 0.65];
    regions.set("box", box);
  }
  maskList();
  $("over").querySelector(`[data-name=${name}]`).focus();
  dirty(true);
}

function take(name) {
  regions.set(name, null);
  maskList();
}

function maskList() {
  parts.masks?.replaceChildren(
    ...regions.names("mask-").map((name) => {
      const words = t("region-mask", { number: name.slice(5) });
      return el("li", {}, el("span", { class: "title" }, words), el("button", { type: "button", "aria-label": `${t("delete")}, ${words}`, on: { click: () => take(name) } }, t("delete")));
    }),
  );
}

function dirty(is) {
  for (const id of ["set-pin", "set-pin-views"]) $(id)?.classList.toggle("first", is);
}

/** The body of the verb `pin`, out of what stands on the page. */
export function pins() {
  const body = {};
  const [bmode, elastogram, box] = ["bmode", "elastogram", "box"].map((name) => regions.get(name));
  if (bmode && elastogram) Object.assign(body, { size: regions.screen, "bmode-view": bmode, "elastogram-view": elastogram });
  if (box && bmode) body["elastogram-box"] = box;
  const hard = $("steps").querySelector("[name=hard-end]:checked")?.value;
  if (hard) body["hard-end"] = hard;
  const max = Number(parts.scale.value);
  if (max > 0) body.scale = { max, unit: parts.unit.value };
  return body;
}

async function pin() {
  const body = pins();
  if (Object.keys(body).length === 0) return tell(t("nothing-to-pin"), false);
  await sent("/api/setup/pin", body, () => {
    dirty(false);
    tell(t("pinned"));
  });
}

async function unpin() {
  await sent("/api/setup/pin", {}, () => {
    for (const name of ["bmode", "elastogram", "box"]) regions.set(name, null);
    tell(t("unpinned"));
  });
}

async function mask() {
  const areas = regions.names("mask-").map((name) => {
    const [x0, y0, x1, y1] = regions.get(name);
    return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  });
  await sent("/api/setup/mask", { areas }, () => {
    tell(n("masked", areas.length));
  });
}

async function save(event) {
  event.preventDefault();
  const name = parts.name.value.trim();
  await sent("/api/setup/save", { name, choose: true }, (answer) => {
    begun = false;
    load(true);
    tell(t("saved", { name: answer.name ?? name }));
    parts.saved.replaceChildren(
      el("p", {}, t("saved-at", { path: answer.path })),
      el("p", { class: "dim" }, t("saved-how"), " ", answer.configured === "chosen" ? t("saved-chosen") : t("saved-line", { file: answer.config, configured: answer.configured })),
      el("pre", { tabindex: "0", "aria-label": answer.name ?? name }, answer.text ?? ""),
    );
  });
}

async function leave() {
  const go = async () => {
    await sent("/api/setup/leave", {}, () => {
      begun = false;
      regions.clear();
      tell(t("left"));
      location.hash = "#live";
    });
  };
  if (!begun) {
    location.hash = "#live";
    return;
  }
  const yes = el("button", { type: "button", class: "bad", on: { click: () => { $("dialog").close(); go(); } } }, t("set-leave"));
  const no = el("button", { type: "button", on: { click: () => $("dialog").close() } }, t("cancel"));
  ask(t("leave-sure"), el("div", { class: "body" }, el("p", {}, t("leave-why")), el("div", { class: "row" }, no, yes)));
}
