// The wire to the daemon: one WebSocket that comes back by itself, and requests. Knows when something was heard
// last, by the browser's own steady clock.

import { el } from "./dom.js";

/** What is known now. `readingAt` and `heardAt` are of `clock()`, ms. */
export const now = {
  hello: null, reading: null, readingAt: -Infinity, frame: null, exam: null, finished: [], endedAt: null,
  heardAt: -Infinity, open: false, ever: false,
};
export const wire = new EventTarget();
const tell = (type, detail) => wire.dispatchEvent(new CustomEvent(type, { detail }));

/** Silence of the server that takes picture and number away, ms. */
export const SILENCE_MS = 1000;

// The steady clock may stand still while the machine sleeps, the wall clock may jump: the later one tells.
const began = { steady: performance.now(), wall: Date.now() };
let lead = 0;
export function clock() {
  const steady = performance.now() - began.steady;
  lead = Math.max(lead, Date.now() - began.wall - steady - 500);
  return steady + Math.max(0, lead);
}

let socket = null;
let pause = 250;
let watch = null;

export function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(`${scheme}//${location.host}/api/live`));
  mine.binaryType = "arraybuffer";
  let opened = clock();
  mine.onopen = () => {
    opened = clock();
    now.open = true;
    now.ever = true;
    tell("wire");
  };
  mine.onmessage = ({ data }) => {
    if (mine !== socket) return;
    now.heardAt = clock();
    pause = 250;
    if (typeof data === "string") take(JSON.parse(data));
    else tell("jpeg", data);
  };
  const lost = () => {
    if (mine !== socket) return;
    socket = null;
    clearInterval(watch);
    now.open = false;
    now.reading = null;
    now.frame = null;
    tell("wire");
    tell("lost");
    setTimeout(connect, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, 8000);
  };
  mine.onclose = lost;
  // A wire that is cut without a word: given up after some seconds.
  clearInterval(watch);
  watch = setInterval(() => {
    if (clock() - Math.max(now.heardAt, opened) > 5 * SILENCE_MS) {
      mine.close();
      lost();
    }
  }, 500);
}

function take(said) {
  if (said.hello) {
    now.hello = said.hello;
    tell("hello");
  }
  if (said.reading) {
    now.reading = said.reading;
    now.readingAt = now.heardAt;
    tell("reading", said.reading);
  }
  if (said.frame) {
    now.frame = said.frame;
    tell("frame");
  }
  if (said.exam) {
    now.exam = said.exam;
    tell("exam");
  }
  if (said.summary) {
    const first = now.finished[0];
    if (first && first.exam !== said.summary.exam) now.finished = [];
    now.finished = [...now.finished, said.summary];
    now.endedAt = new Date();
    tell("finished");
  }
  if (said.note) tell("note", said.note);
}

/** Says that a picture was drawn: the server then sends another. */
export function seen() {
  if (socket?.readyState === WebSocket.OPEN) socket.send('{"seen":true}');
}

/** Tells whether the server was heard of within the last second. */
export const heard = () => now.open && clock() - now.heardAt <= SILENCE_MS;

/** A refusal in the server's words, with their identifier where the language files have them. */
export class Refused extends Error {
  constructor(kind, words, status, id) {
    super(words);
    this.kind = kind;
    this.status = status;
    this.id = id;
  }
}

async function answer(request) {
  let said;
  try {
    said = await request;
  } catch {
    throw new Refused("unreachable", "", 0);
  }
  const body = await said.json().catch(() => ({}));
  if (!said.ok || body.error) throw new Refused(body.error?.kind ?? "failed", body.error?.words ?? `${said.status}`, said.status, body.error?.id);
  return body;
}

export const get = (path) => answer(fetch(path, { cache: "no-store" }));
export const post = (path, body = {}) =>
  answer(fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));
/** Sends a verb of the control protocol. */
export const command = async (verb, keys = {}) => (await post("/api/command", { verb, ...keys })).answer;
/** Starts a download. */
export function download(path) {
  const a = el("a", { href: path, download: "" });
  a.click();
}
