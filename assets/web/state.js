// What is to be said at a moment, as the panel says it: a word, a shape, a number or the reason why there is none.
// Pure; a number never outlives `max_age_ms`, nor a second of the server's silence.

import { SILENCE_MS } from "./link.js";
import { has, p, say, t } from "./words.js";

/** The state of `now` at `at` ms of the page's clock. */
export function state(now, at) {
  const quiet = at - now.heardAt;
  if (!now.ever || (now.open && quiet === Infinity)) return { kind: "starting", what: t("connecting"), hint: "" };
  if (!now.open || quiet > SILENCE_MS) {
    return { kind: "stale", silent: true, what: t("server-silent", { seconds: seconds(quiet) }), hint: t("server-silent-do") };
  }
  const reading = now.reading;
  if (!reading) return { kind: "starting", what: p("starting"), hint: p("starting-why") };
  const age = at - now.readingAt;
  if (age > now.hello.max_age_ms) {
    return { kind: "stale", what: p("no-reading-for", { seconds: seconds(age) }), hint: p("stale-why") };
  }
  const beware = bewares(reading);
  const score = reading.malignancy;
  if (reading.outcome === "scored" && Number.isFinite(score)) {
    const kind = reading.unfamiliar ? "unfamiliar" : reading.frozen ? "frozen" : "scored";
    return { kind, score, reading, beware };
  }
  const reason = reading.reason ?? "engine-fault";
  return {
    kind: reason === "no-signal" ? "no-signal" : "withheld",
    reason,
    what: p(`reason-${reason}`),
    hint: p(`do-${reason}`),
    detail: detail(reading),
    reading,
    beware: faults(reading),
  };
}

/** The reading's sentence in this language; what has none is said as it came. */
export function detail(reading) {
  const { detail_id: id, detail_values: values } = reading;
  return id && has(id) ? say(id, values) : (reading.detail ?? "");
}

const faults = (reading) => (reading.input?.faults ?? []).map((fault) => p(`fault-${fault}`));

function bewares(reading) {
  const all = [];
  if (reading.unfamiliar && reading.detail_id && has(`panel.unlike-${reading.detail_id}`)) all.push(p(`unlike-${reading.detail_id}`));
  if (reading.unfamiliar && reading.frozen) all.push(p("note-frozen"));
  if (reading.settled === false) all.push(p("note-not-settled"));
  if (reading.palette_assumed) all.push(p("note-palette-assumed"));
  return [...all, ...faults(reading)];
}

function seconds(ms) {
  return Number.isFinite(ms) ? Math.max(1, Math.floor(ms / 1000)) : "–";
}

/** The state's word, as on the panel. */
export const word = ({ kind }) => p(`word-${kind}`);

/** A value of stiffness as the panel writes it. */
export function stiffness(s) {
  if (!s) return "";
  const quantity = (q) => {
    if (!q || !s.scale) return null;
    const { max, unit } = s.scale;
    if (q.beyond && q.value >= 0.98 * max) return `>\u00a0${max}\u00a0${unit}`;
    const digits = max < 25 ? 1 : 0;
    const off = Math.max(q.uncertainty, digits ? 0.1 : 1);
    return `${q.beyond ? "≥\u00a0" : ""}${q.value.toFixed(digits)}\u00a0±\u00a0${off.toFixed(digits)}\u00a0${unit}`;
  };
  const said = [
    [s.mean, "stiffness-mean"],
    [s.circle_2mm, "stiffness-stiffest"],
    [s.p99, "stiffness-p99"],
  ].flatMap(([q, id]) => (quantity(q) ? [p(id, { value: quantity(q) })] : []));
  if (s.ratio) said.push(p("stiffness-ratio", { ratio: `${s.ratio.beyond ? "≥\u00a0" : ""}${s.ratio.value.toFixed(1)}\u00a0:\u00a01` }));
  return said.length ? `${said.join(", ")} (${p("off-the-screen")})` : "";
}
