// The examination as a sheet: the one that ended last, or the one under way. Made to be printed.

import { $, el } from "./dom.js";
import { get, now, wire } from "./link.js";
import { leaning, name, opinion } from "./nodules.js";
import { refusal } from "./actions.js";
import { interval, p, percent, t, when } from "./words.js";

let shown = false;
let told = { exam: null, finished: [], ended_at: null };

export function begin() {
  $("print").addEventListener("click", () => print());
  for (const type of ["exam", "finished"]) wire.addEventListener(type, () => shown && load());
}
export function open() {
  shown = true;
  draw();
  load();
}
export function close() {
  shown = false;
}

export async function load() {
  try {
    told = await get("/api/exam");
    if (now.finished.length === 0 && told.finished?.length) {
      now.finished = told.finished;
      now.endedAt = told.ended_at ? new Date(told.ended_at) : null;
    }
    draw();
  } catch (error) {
    $("sheet").replaceChildren(el("h1", { id: "exam-title" }, t("exam")), el("p", { class: "reason" }, refusal(error)));
  }
}

function draw() {
  const finished = told.finished ?? [];
  const parts = [el("h1", { id: "exam-title" }, t("exam-sheet"), el("small", {}, t("exam-lead")))];
  const simulated = now.hello?.simulated && el("p", {}, el("strong", {}, t("simulated")));
  if (simulated) parts.push(simulated);
  parts.push(el("p", { class: "lines" }, t("exam-name")));
  if (finished.length) {
    parts.push(
      el("h2", {}, t("exam-ended", { number: finished[0].exam, at: told.ended_at ? when(new Date(told.ended_at)) : "–" })),
      table(finished.map((s) => s.summary), t("exam-ended", { number: finished[0].exam, at: "" })),
      model(finished[0].model),
    );
  }
  const exam = told.exam;
  if (exam?.nodules.length) parts.push(el("h2", {}, t("exam-running", { number: exam.number })), table(exam.nodules, t("exam-running", { number: exam.number })), model(now.hello?.model));
  if (!finished.length && !exam?.nodules.length) parts.push(el("p", {}, t("exam-none")));
  parts.push(el("p", { class: "dim" }, t("exam-foot")));
  $("sheet").replaceChildren(...parts.filter(Boolean));
}

const model = (m) => m && el("p", { class: "dim" }, `${p("model", { name: m.name })} · ${m.backend} · ${m.digest.slice(0, 16)}`, !m.trained && ` · ${p("word-untrained")}`);

function table(nodules, label) {
  const heads = ["col-nodule", "col-score", "col-interval", "col-lean", "col-evidence", "col-verdict"];
  const cells = (f) => [
    f.malignancy == null ? t("no-score") : `${percent(f.malignancy)} %`,
    f.interval ? interval(f.interval) : "–",
    f.assessment ? leaning(f.assessment) : "–",
    String(f.evidence),
  ];
  const rows = nodules.flatMap((f) => [
    el("tr", {}, el("th", { scope: "row" }, name(f), f.unfamiliar && el("span", { class: "tag" }, p("word-unfamiliar"))), cells(f).map((c) => el("td", {}, c)), el("td", {}, opinion(f.verdict) ?? "–")),
    ...(f.planes.length > 1 || f.planes[0]?.name
      ? f.planes.map((plane) => el("tr", { class: "plane" }, el("td", {}, plane.name ? t(`plane-${plane.name}`) : t("plane", { number: plane.plane })), cells(plane).map((c) => el("td", {}, c)), el("td", {})))
      : []),
  ]);
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", {}, el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, t(h))))), el("tbody", {}, rows)),
  );
}

/** Says it anew, in another language. */
export const redress = () => shown && draw();
