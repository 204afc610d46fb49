// What a person can do at this moment: buttons and their keys. What cannot be done stays where it is, disabled, and
// says why.

import { $, ask, el, shape, tell, text } from "./dom.js";
import { command, now, wire } from "./link.js";
import { has, n, p, say, t } from "./words.js";

const signed = (hello) => (hello?.signed_in ? null : t("why-sign-in"));

/** Verb, key, shape, and why it cannot be done now. */
const ACTIONS = [
  { id: "snapshot", key: "s", why: (h) => signed(h) ?? (h.keep ? null : t("why-keep")), act: () => send("snapshot") },
  { id: "clip", key: "c", why: (h) => signed(h) ?? (h.keep && h.clips ? null : t("why-clips")), act: () => send("clip") },
  { id: "mark", key: "m", why: signed, act: markDialog },
  { id: "next", key: "n", why: signed, act: nextDialog },
  { id: "verdict", key: "v", why: (h) => signed(h) ?? (now.exam?.nodules.length ? null : t("why-no-nodule")), act: verdictDialog },
  { id: "explain", key: "e", why: (h) => signed(h) ?? (h.explain ? null : t("why-explain")), act: () => send("explain") },
];

const stored = (key) => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};
export const remember = (key, value) => {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing: the choice lasts as long as the page.
  }
};
let keysOn = stored("sonofuse-keys") !== "off";

export function begin() {
  for (const action of ACTIONS) {
    action.button = el(
      "button",
      { type: "button", id: `do-${action.id}`, "aria-keyshortcuts": action.key, on: { click: () => go(action) } },
      shape(`i-${action.id}`),
      el("span", { "data-t": `do-${action.id}` }),
      el("kbd", { "aria-hidden": "true" }, action.key),
    );
    $("actions").append(action.button);
  }
  for (const type of ["hello", "wire", "exam"]) wire.addEventListener(type, update);
  wire.addEventListener("note", ({ detail }) => tell(has(`panel.kept-${detail.id}`) ? p(`kept-${detail.id}`) : detail.text, detail.good));
  addEventListener("keydown", key);
  $("help").addEventListener("click", help);
}

const reason = (action) => (!now.open ? t("why-offline") : action.why(now.hello));

export function update() {
  const reasons = new Set();
  for (const action of ACTIONS) {
    const why = now.hello ? reason(action) : t("connecting");
    action.button.setAttribute("aria-disabled", String(why !== null));
    action.button.title = why ?? "";
    action.button.classList.toggle("first", action.id === "snapshot" && why === null);
    if (why) {
      action.button.setAttribute("aria-description", why);
      // The one for an explanation alone is not worth a line: most versions have none.
      if (action.id !== "explain") reasons.add(why);
    } else action.button.removeAttribute("aria-description");
  }
  text($("actions-why"), [...reasons].join(" "));
}

function go(action) {
  const why = now.hello ? reason(action) : t("connecting");
  if (why) tell(why, false);
  else action.act();
}

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || $("dialog").open) return;
  if (/^(INPUT|SELECT|TEXTAREA|VIDEO)$/.test(event.target.tagName) && event.target.type !== "radio") return;
  if (event.key === "?") return help();
  if (!keysOn) return;
  const action = ACTIONS.find((a) => a.key === event.key.toLowerCase());
  if (action) {
    event.preventDefault();
    go(action);
  }
}

/** Sends a verb and says what became of it. */
export async function send(verb, keys = {}) {
  try {
    const done = await command(verb, keys);
    tell(said(verb, done));
    return done;
  } catch (error) {
    tell(refusal(error), false);
    return null;
  }
}

function said(verb, done) {
  const kept = done?.kept;
  if (verb === "snapshot") return kept?.views_proven === false ? p("kept-black") : p("kept-snapshot");
  if (verb === "clip") return kept?.ready_in_s > 0 ? t("clip-under-way", { seconds: Math.ceil(kept.ready_in_s) }) : p("kept-clip");
  return t(`done-${verb}`);
}

/** A refusal in this language, with the server's own words where there are none. */
export function refusal(error) {
  const why = has(`page.error-${error.kind}`) ? t(`error-${error.kind}`) : t("error-failed");
  const words = has(error.id) ? say(error.id) : error.message;
  return words ? `${why} ${words}` : why;
}

/** Radio buttons in a frame. */
export function choices(name, legend, options, first) {
  return el(
    "fieldset",
    {},
    el("legend", {}, legend),
    el(
      "div",
      { class: "choices" },
      options.map(([value, words]) =>
        el("label", {}, el("input", { type: "radio", name, value, checked: value === first }), words),
      ),
    ),
  );
}

function dialogForm(title, body, go, words, kind = "first") {
  const cancel = el("button", { type: "button", on: { click: () => $("dialog").close() } }, t("cancel"));
  const form = el(
    "form",
    { on: { submit: async (event) => {
      event.preventDefault();
      const values = Object.fromEntries(new FormData(form));
      $("dialog").close();
      await go(values);
    } } },
    body,
    el("div", { class: "row" }, el("button", { class: kind, type: "submit" }, words), cancel),
  );
  ask(title, form);
}

function markDialog() {
  const nodules = now.exam?.nodules ?? [];
  const which = [["", t("which-here")], ["new", t("which-new")]];
  if (nodules.some((each) => each.marked)) which.push(["same", t("which-same")]);
  for (const each of nodules) which.push([String(each.nodule), t("nodule", { number: each.nodule })]);
  dialogForm(
    t("do-mark"),
    [
      choices("nodule", t("mark-which"), which, ""),
      choices("plane", t("mark-plane"), [["", t("not-said")], ["transverse", t("plane-transverse")], ["longitudinal", t("plane-longitudinal")]], ""),
      choices("side", t("mark-side"), [["", t("not-said")], ["left", t("side-left")], ["right", t("side-right")], ["isthmus", t("side-isthmus")]], ""),
      el("label", { class: "field" }, t("mark-label"), el("input", { name: "label", maxlength: "24", pattern: "[A-Za-z0-9_ \\-]+", autocomplete: "off", "aria-describedby": "label-how" })),
      el("p", { class: "dim", id: "label-how" }, t("mark-label-how")),
    ],
    (values) => {
      const keys = {};
      if (values.nodule) keys.nodule = /^\d+$/.test(values.nodule) ? Number(values.nodule) : values.nodule;
      for (const name of ["plane", "side"]) if (values[name]) keys[name] = values[name];
      if (values.label.trim()) keys.label = values.label.trim();
      return send("mark", keys);
    },
    t("do-mark"),
  );
}

function nextDialog() {
  const count = now.exam?.nodules.length ?? 0;
  dialogForm(t("next-sure"), el("p", {}, n("next-why", count)), () => send("next-patient"), t("next-yes"), "bad");
}

function verdictDialog() {
  const nodules = now.exam.nodules.map((each) => [String(each.nodule), t("nodule", { number: each.nodule })]);
  const first = String(now.exam.nodule ?? now.exam.nodules.at(-1).nodule);
  const corrected = choices("corrected", t("verdict-corrected"), [["", t("not-said")], ["benign", t("finding-benign")], ["malignant", t("finding-malignant")], ["indeterminate", t("finding-indeterminate")]], "");
  corrected.disabled = true;
  const says = choices("says", t("verdict-says"), [["agree", t("says-agree")], ["disagree", t("says-disagree")]], "agree");
  says.addEventListener("change", (event) => (corrected.disabled = event.target.value !== "disagree"));
  dialogForm(
    t("do-verdict"),
    [choices("nodule", t("verdict-of"), nodules, first), says, corrected],
    (values) => {
      const keys = { says: values.says, nodule: Number(values.nodule) };
      if (values.corrected) keys.corrected = values.corrected;
      return send("verdict", keys);
    },
    t("do-verdict"),
  );
}

function help() {
  const toggle = el("input", { type: "checkbox", id: "keys-on", checked: keysOn });
  toggle.addEventListener("change", () => {
    keysOn = toggle.checked;
    remember("sonofuse-keys", keysOn ? "on" : "off");
  });
  ask(
    t("keys"),
    el(
      "div",
      { class: "body" },
      el("label", {}, toggle, " ", t("keys-on")),
      el(
        "dl",
        { class: "keys" },
        ACTIONS.flatMap(({ id, key }) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, t(`do-${id}`))]),
        el("dt", {}, el("kbd", {}, "?")),
        el("dd", {}, t("keys")),
      ),
      el("p", { class: "dim" }, t("regions-how")),
      el("div", { class: "row" }, el("button", { type: "button", class: "first", on: { click: () => $("dialog").close() } }, t("close"))),
    ),
  );
}
