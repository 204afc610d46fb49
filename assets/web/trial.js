// A minute of trial, counted out of the readings: how long there was a score, why not, and how the picture came.

import { el, tell } from "./dom.js";
import { clock, heard } from "./link.js";
import { p, t } from "./words.js";

const TRIAL_MS = 60000;

export class Trial {
  constructor() {
    this.began = null;
  }

  start(place) {
    this.place = place;
    Object.assign(this, { began: clock(), last: null, times: new Map(), silent: 0, rates: [], agreed: null, faults: new Set(), done: false });
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), 250);
    this.draw();
  }

  stop() {
    clearInterval(this.timer);
    if (!this.done) this.began = null;
  }

  /** Takes a reading: the time since the one before counts for what that one said. */
  take(reading) {
    if (this.began === null || this.done) return;
    this.#count();
    this.last = { at: clock(), what: reading.outcome === "scored" ? "scored" : (reading.reason ?? "engine-fault") };
    const { rate_hz: rate, agreed_hz: agreed, faults } = reading.input ?? {};
    if (rate != null) this.rates.push(rate);
    if (agreed != null) this.agreed = agreed;
    for (const fault of faults ?? []) this.faults.add(fault);
  }

  #count() {
    if (!this.last) return;
    const gone = Math.min(clock() - this.last.at, 1500);
    this.times.set(this.last.what, (this.times.get(this.last.what) ?? 0) + gone);
    this.last.at = clock();
  }

  tick() {
    if (!heard()) this.silent += 250;
    if (clock() - this.began >= TRIAL_MS) {
      this.#count();
      this.done = true;
      clearInterval(this.timer);
      tell(t("try-done"));
    }
    this.draw();
  }

  /** Shows what there is in another place: the page was drawn anew. */
  show(place) {
    this.place = place;
    this.draw();
  }

  draw() {
    if (this.began === null || !this.place) return this.place?.replaceChildren();
    const gone = this.done ? TRIAL_MS : Math.min(TRIAL_MS, clock() - this.began);
    const seconds = (ms) => `${(ms / 1000).toFixed(0)}\u00a0s`;
    const rows = [...this.times].sort((a, b) => (a[0] === "scored" ? -1 : b[0] === "scored" ? 1 : b[1] - a[1]));
    const rate = this.rates.length ? this.rates.reduce((a, b) => a + b, 0) / this.rates.length : null;
    this.place.replaceChildren(
      el("progress", { max: String(TRIAL_MS), value: String(gone), "aria-label": t("step-try") }),
      el("p", { class: "dim" }, t("try-gone", { gone: Math.floor(gone / 1000), of: TRIAL_MS / 1000 })),
      el(
        "dl",
        { class: "counts" },
        rows.flatMap(([what, ms]) => [el("dt", {}, what === "scored" ? p("word-scored") : `${p("word-withheld")}: ${p(`reason-${what}`)}`), el("dd", {}, seconds(ms))]),
        el("dt", {}, t("try-rate")),
        el("dd", {}, rate === null ? "–" : this.agreed === null ? rate.toFixed(1) : t("try-rate-of", { have: rate.toFixed(1), agreed: this.agreed.toFixed(1) })),
        el("dt", {}, t("try-faults")),
        el("dd", {}, this.faults.size ? [...this.faults].map((fault) => p(`fault-${fault}`)).join(", ") : t("none")),
      ),
    );
  }
}
