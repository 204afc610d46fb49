// The page's beginning: language, wire, views by the address's #part.

import { $, el, show, text } from "./dom.js";
import { clock, connect, get, now, wire } from "./link.js";
import { load } from "./words.js";
import { drawn, drawOn } from "./picture.js";
import * as actions from "./actions.js";
import * as exam from "./exam.js";
import * as kept from "./kept.js";
import * as live from "./live.js";
import * as setup from "./setup.js";

const VIEWS = {
  live: { open: () => drawOn($("picture")), close: () => drawOn(null) },
  kept,
  exam,
  setup: {
    open: () => {
      drawOn($("screen"), true);
      setup.open();
    },
    close: () => {
      drawOn(null);
      setup.close();
    },
  },
};
// Sections are not called as the address's part, so that the browser does not scroll to them.
let view = null;

function route(event) {
  const asked = location.hash.slice(1);
  // The skip link's target is no view.
  if (asked === "main" && view) return $("main").focus();
  const next = Object.hasOwn(VIEWS, asked) ? asked : "live";
  if (next === view) return;
  if (view) VIEWS[view].close();
  view = next;
  for (const name of Object.keys(VIEWS)) show($(`view-${name}`), name === view);
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  VIEWS[view].open();
  live.render();
  scrollTo(0, 0);
  if (event) $("main").focus({ preventScroll: true });
}

function banners() {
  const { hello } = now;
  show($("simulated"), Boolean(hello?.simulated));
  show($("exposed"), Boolean(hello?.exposed));
  show($("untrained"), hello?.model?.trained === false);
}

async function languages(hello) {
  const asked = new URLSearchParams(location.search).get("lang");
  let remembered = null;
  try {
    remembered = localStorage.getItem("sonofuse-language");
  } catch {
    // Nothing is remembered here.
  }
  const known = hello.languages;
  const wanted = [asked, remembered, hello.language].find((id) => known.some((each) => each.id === id)) ?? "en";
  const choice = $("tongue");
  choice.replaceChildren(...known.map(({ id, name }) => el("option", { value: id, lang: id, selected: id === wanted }, name)));
  choice.addEventListener("change", async () => {
    actions.remember("sonofuse-language", choice.value);
    await speak(choice.value);
  });
  return wanted;
}

async function speak(id) {
  if ((await load(id)) || (await load("en"))) dressed();
}

/** Says everything in the language that was loaded. */
function dressed() {
  live.redress();
  actions.update();
  for (const each of [exam, setup]) each.redress();
  if (view === "kept") kept.open();
  const part = $(`view-${view ?? "live"}`).querySelector("h1")?.textContent;
  document.title = part ? `${part} – sonofuse` : "sonofuse";
}

/** What there was before this page was opened. */
async function earlier() {
  const before = await get("/api/exam").catch(() => null);
  if (!before || now.finished.length) return;
  Object.assign(now, { exam: now.exam ?? before.exam, finished: before.finished ?? [], endedAt: before.ended_at ? new Date(before.ended_at) : null });
  for (const type of ["exam", "finished"]) wire.dispatchEvent(new Event(type));
}

async function start() {
  let hello = null;
  // The daemon may come up after the page.
  for (let pause = 250; hello === null; pause = Math.min(2 * pause, 8000)) {
    hello = await get("/api/hello").catch(() => null);
    if (hello === null) await new Promise((go) => setTimeout(go, pause));
  }
  now.hello = hello;
  const tongue = await languages(hello);
  if (!(await load(tongue))) await load("en");
  for (const each of [actions, live, kept, exam, setup]) each.begin();
  wire.addEventListener("hello", banners);
  banners();
  route();
  dressed();
  connect();
  earlier();
  addEventListener("hashchange", (event) => {
    route(event);
    const part = $(`view-${view}`).querySelector("h1")?.textContent;
    text(document.querySelector("title"), part ? `${part} – sonofuse` : "sonofuse");
  });
  // What a test asks, and a person who wonders.
  globalThis.sonofuse = { record: live.record, drawn, now, clock, pins: setup.pins };
}

start();
