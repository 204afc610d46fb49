// The live view: what can be said now, the last minute, the nodules. Says aloud when the state changes, never the
// numbers.

import { $, el, mark, show, text } from "./dom.js";
import { clock, heard, now, wire } from "./link.js";
import { late as pictureLate } from "./picture.js";
import { state, stiffness, word } from "./state.js";
import { dress, interval, p, percent, t } from "./words.js";
import { leaning, nodule, sentence } from "./nodules.js";

/** What the page said and when, the newest last: at most 400. */
export const record = [];

const MINUTE_MS = 60000;
/** Scores of the last minute: `{at, place, score, low, high}`. */
const scores = [];

export function begin() {
  wire.addEventListener("reading", ({ detail: r }) => {
    const at = now.readingAt;
    while (scores.length && at - scores[0].at > MINUTE_MS) scores.shift();
    const last = scores.at(-1);
    const scored = r.outcome === "scored" && Number.isFinite(r.malignancy);
    if (scored && (!last || at - last.at >= 200 || last.place !== r.place)) {
      const [low, high] = r.interval ?? [r.malignancy, r.malignancy];
      scores.push({ at, place: r.place, score: r.malignancy, low, high });
    }
    soon();
  });
  for (const type of ["wire", "hello", "lost"]) wire.addEventListener(type, render);
  for (const type of ["exam", "finished", "hello"]) wire.addEventListener(type, nodules);
  // What is too old goes by the clock, not by what comes.
  setInterval(render, 100);
  setInterval(trend, 250);
  document.addEventListener("visibilitychange", render);
}

let asked = false;
function soon() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    render();
  });
}

export function render() {
  const at = clock();
  const s = state(now, at);
  note(s, at);
  wireLine(s);
  stale(s);
  const kind = s.kind;
  for (const [icon, words, line] of [
    [$("now-mark"), $("now-word"), $("now-mark").parentElement],
    [$("setup-state").firstElementChild, $("setup-state").lastElementChild, $("setup-state")],
  ]) {
    mark(icon, kind);
    text(words, words.parentElement === $("setup-state") && s.what ? `${word(s)} – ${s.what}` : word(s));
    line.classList.toggle("scored", kind === "scored" || kind === "frozen");
  }
  const scored = s.score !== undefined;
  show($("now-score"), scored);
  show($("now-why"), !scored);
  if (scored) score(s);
  else {
    // The number is gone, not only hidden: nothing may read it.
    for (const id of ["now-number", "now-lean", "now-interval", "now-evidence", "now-cut", "now-arrow"]) text($(id), "");
    text($("now-what"), s.what);
    text($("now-do"), s.hint);
    text($("now-detail"), s.detail ? sentence(s.detail) : "");
  }
  const list = $("now-beware");
  const beware = s.beware ?? [];
  if (list.dataset.said !== beware.join("\n")) {
    list.dataset.said = beware.join("\n");
    list.replaceChildren(...beware.map((words) => el("li", {}, words)));
  }
  text($("now-stiffness"), stiffness(s.reading?.stiffness));
  const model = s.reading?.model ?? now.hello?.model;
  text($("now-model"), model ? `${p("model", { name: model.name })} · ${model.backend} · ${model.digest.slice(0, 8)}` : "");
}

function score({ score, reading }) {
  text($("now-number"), percent(score));
  text($("now-lean"), reading.assessment ? leaning(reading.assessment) : "");
  text($("now-interval"), reading.interval ? `${interval(reading.interval)} ${p("interval")}` : "");
  const count = p(reading.evidence === 1 ? "elastograms-one" : "elastograms", { count: reading.evidence });
  const age = reading.age_ms == null ? null : reading.age_ms + (clock() - now.readingAt);
  text($("now-evidence"), age === null ? p("evidence-bare", { count }) : p("evidence-long", { count, age: ago(age) }));
  const cut = reading.operating_point;
  text($("now-cut"), cut ? t("cut", { percent: percent(cut.malignancy) }) : "");
  const [band, tick, needle] = $("gauge").children;
  const [low, high] = reading.interval ?? [score, score];
  band.style.left = `${low * 100}%`;
  band.style.width = `${(high - low) * 100}%`;
  show(tick, Boolean(cut));
  if (cut) tick.style.left = `${cut.malignancy * 100}%`;
  needle.style.left = `${Math.min(99.5, Math.max(0.5, score * 100))}%`;
  text($("now-arrow"), arrow(reading.place));
}

function ago(ms) {
  const s = Math.max(1, Math.ceil(ms / 1000));
  return s < 120 ? p("age-seconds", { count: s }) : p("age-minutes", { count: Math.floor(s / 60) });
}

/** Where the score goes over the last six seconds; less than five points is steady. */
function arrow(place) {
  const here = scores.filter((s) => s.place === place && clock() - s.at < 6000);
  if (here.length < 3) return "";
  const change = here.at(-1).score - here[0].score;
  return change > 0.05 ? "↗" : change < -0.05 ? "↘" : "→";
}

function wireLine(s) {
  const line = $("wire");
  const bad = s.silent || !now.open;
  line.classList.toggle("bad", bad && now.ever);
  mark(line.firstElementChild, bad ? (now.ever ? "no-signal" : "starting") : "scored");
  text(line.lastElementChild, bad ? (now.ever ? t("wire-lost") : t("connecting")) : t("wire-on"));
}

function stale(s) {
  // The panel on a picture that stays has a number too: it goes with the picture.
  const late = !s.silent && now.open && now.hello ? pictureLate(now.hello.max_age_ms) : 0;
  const gone = s.silent || late > 0;
  show($("stale"), gone);
  show($("setup-stale"), gone);
  if (gone) text($("stale-why"), s.silent ? `${s.what} ${s.hint}` : t("picture-late", { seconds: Math.max(1, Math.floor(late / 1000)) }));
}

let spoken = "";
let since = 0;
let pending = "";
/** Notes a state that is new, and says it once it has stood for a moment. */
function note(s, at) {
  const last = record.at(-1);
  const what = s.reason ?? "";
  if (!last || last.kind !== s.kind || last.reason !== what) {
    record.push({ at, kind: s.kind, reason: what, shown: s.score !== undefined });
    if (record.length > 400) record.shift();
  }
  const said = s.score === undefined ? `${word(s)}. ${s.what} ${s.hint}` : word(s);
  const plain = said.replace(/\d+/g, "");
  if (plain !== pending) {
    pending = plain;
    since = at;
  }
  if (pending !== spoken && at - since > 700) {
    spoken = pending;
    $(s.silent ? "alarm" : "said").textContent = said;
  }
}

function nodules() {
  const exam = now.exam;
  text($("exam-number"), exam ? t("exam-number", { number: exam.number }) : "");
  const list = exam?.nodules ?? [];
  $("nodules").replaceChildren(...list.map((each) => nodule(each, each.nodule === exam.nodule)));
  show($("nodules-none"), list.length === 0);
  show($("finished"), now.finished.length > 0);
  $("finished-list").replaceChildren(...now.finished.map((s) => nodule(s.summary, false)));
}

/** Draws the last minute: the band of the interval, the line of the score, a break where nothing was scored. */
function trend() {
  const canvas = $("trend");
  if (canvas.offsetParent === null || document.hidden) return;
  const ratio = devicePixelRatio || 1;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(w * ratio)) canvas.width = Math.round(w * ratio);
  if (canvas.height !== Math.round(h * ratio)) canvas.height = Math.round(h * ratio);
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, w, h);
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue(name);
  const px = parseFloat(css.fontSize);
  c.font = `${px * 0.78}px system-ui, sans-serif`;
  const at = clock();
  const left = c.measureText("100").width + 6;
  const [top, foot] = [px * 0.5, px * 1.3];
  const x = (when) => w - ((at - when) / MINUTE_MS) * (w - left);
  const y = (part) => top + (1 - part) * (h - top - foot);
  c.textBaseline = "middle";
  for (const part of [0, 0.5, 1]) {
    c.fillStyle = colour("--line");
    c.fillRect(left, Math.round(y(part)), w - left, 1);
    c.fillStyle = colour("--dim");
    c.textAlign = "right";
    c.fillText(String(part * 100), left - 5, y(part));
  }
  c.textBaseline = "alphabetic";
  c.textAlign = "left";
  c.fillText(t("minute-ago"), left, h - 3);
  c.textAlign = "right";
  c.fillText(p("now"), w, h - 3);
  const cut = now.reading?.operating_point?.malignancy;
  if (cut) {
    c.strokeStyle = colour("--text");
    c.setLineDash([2, 4]);
    c.beginPath();
    c.moveTo(left, y(cut));
    c.lineTo(w, y(cut));
    c.stroke();
    c.setLineDash([]);
  }
  const tone = heard() && now.reading?.outcome === "scored" ? colour("--score") : colour("--dim");
  let run = [];
  const flush = () => {
    if (!run.length) return;
    c.fillStyle = tone;
    c.globalAlpha = 0.3;
    c.beginPath();
    for (const s of run) c.lineTo(x(s.at), y(s.high));
    for (const s of run.toReversed()) c.lineTo(x(s.at), y(s.low));
    c.fill();
    c.globalAlpha = 1;
    c.strokeStyle = tone;
    c.lineWidth = Math.max(1.5, px * 0.14);
    c.beginPath();
    for (const s of run) c.lineTo(x(s.at), y(s.score));
    if (run.length === 1) c.arc(x(run[0].at), y(run[0].score), 1, 0, 7);
    c.stroke();
    c.lineWidth = 1;
    run = [];
  };
  for (const s of scores) {
    const last = run.at(-1);
    if (last && (s.at - last.at > 1500 || s.place !== last.place)) flush();
    if (at - s.at < MINUTE_MS) run.push(s);
  }
  flush();
}

/** Says everything anew, in another language. */
export function redress() {
  dress(document.body);
  spoken = "";
  nodules();
  render();
}
