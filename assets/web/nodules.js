// A nodule's figures as people read them, on the live page and on the exam's.

import { el } from "./dom.js";
import { interval, n, p, percent, say, t } from "./words.js";

/** A sentence begins with a capital. */
export const sentence = (words) => words.charAt(0).toLocaleUpperCase() + words.slice(1);

/** What the evidence leans to, with its error rate. */
export function leaning({ verdict, error_rate: rate }) {
  return sentence(say(`assessed-${verdict}`, { error_percent: Math.round(rate * 100) }));
}

export function name(figures) {
  const parts = [t("nodule", { number: figures.nodule })];
  if (figures.side) parts.push(t(`side-${figures.side}`));
  if (figures.label) parts.push(figures.label);
  return parts.join(" · ");
}

/** What a person thinks of it. */
export function opinion(verdict) {
  if (!verdict) return null;
  const said = t(`says-${verdict.says}`);
  return verdict.corrected ? `${said}: ${t(`finding-${verdict.corrected}`)}` : said;
}

/** A line of the list. */
export function nodule(figures, here) {
  const scored = figures.malignancy != null;
  const more = [
    figures.assessment && leaning(figures.assessment),
    scored && figures.interval && `${interval(figures.interval)} ${p("interval")}`,
    n("planes", figures.planes.length),
    p(figures.evidence === 1 ? "elastograms-one" : "elastograms", { count: figures.evidence }),
    figures.unfamiliar && p("word-unfamiliar"),
    figures.verdict && `${t("verdict-is")} ${opinion(figures.verdict)}`,
  ].filter(Boolean);
  return el(
    "li",
    { class: here ? "here" : "" },
    el("span", { class: "title" }, name(figures), here && el("span", { class: "tag" }, t("here")), !figures.marked && el("span", { class: "tag" }, t("unmarked"))),
    el("span", { class: "value" }, scored ? `${percent(figures.malignancy)} %` : t("no-score")),
    el("span", { class: "more" }, more.join(" · ")),
  );
}
