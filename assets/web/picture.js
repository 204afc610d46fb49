// The picture: JPEGs as they come, drawn on the canvas of the view that shows, and then acknowledged. A page that
// nobody looks at acknowledges nothing, so that nothing is encoded for it.

import { clock, heard, now, seen, wire } from "./link.js";

/** How pictures went: for a person who asks, and for tests. */
export const drawn = { count: 0, at: -Infinity, bitmap: null };

let target = null;
/** Since when pictures are looked at. */
let since = -Infinity;
let owed = 0;
let busy = false;
let waiting = null;

/** Draws on `canvas` from now on: the whole, or (`crop`) the scanner's picture without the panel. */
export function drawOn(canvas, crop = false) {
  target = canvas && { canvas, crop };
  since = clock();
  if (target) {
    // The last one is shown while it is new, else none: it would pass for a live one.
    if (drawn.bitmap && heard() && clock() - drawn.at < 500) paint();
    else canvas.getContext("2d", { alpha: false }).fillRect(0, 0, canvas.width, canvas.height);
  }
  settle();
}

/** For how long no picture came although somebody looks, ms; 0 while that is not too long. */
export function late(most) {
  const gone = clock() - Math.max(drawn.at, since);
  return looked() && gone > most ? gone : 0;
}

wire.addEventListener("jpeg", ({ detail }) => {
  owed += 1;
  waiting = detail;
  if (looked()) decode();
});
wire.addEventListener("lost", () => {
  owed = 0;
  waiting = null;
});
document.addEventListener("visibilitychange", () => {
  since = clock();
  settle();
});

const looked = () => target !== null && !document.hidden;

/** Pays what is owed, once somebody looks again. */
function settle() {
  if (looked() && waiting) decode();
}

async function decode() {
  if (busy || !waiting) return;
  busy = true;
  const jpeg = waiting;
  waiting = null;
  try {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    drawn.bitmap?.close();
    drawn.bitmap = bitmap;
    drawn.count += 1;
    drawn.at = clock();
    if (target) paint();
  } catch {
    // A picture that cannot be read is not drawn; the next one comes.
  }
  busy = false;
  while (owed > (waiting ? 1 : 0)) {
    owed -= 1;
    seen();
  }
  if (waiting && looked()) decode();
}

/** The part of the JPEG that is shown, in its pixels. */
export function part(crop) {
  const { bitmap } = drawn;
  const frame = now.frame;
  const whole = { x: 0, y: 0, width: bitmap?.width ?? 16, height: bitmap?.height ?? 9 };
  if (!crop || !frame?.picture || !bitmap) return whole;
  const { x, y, width, height } = frame.picture;
  const scale = bitmap.width / (frame.width || bitmap.width);
  return { x: x * scale, y: y * scale, width: width * scale, height: height * scale };
}

function paint() {
  const { canvas, crop } = target;
  const from = part(crop);
  const [w, h] = [Math.max(1, Math.round(from.width)), Math.max(1, Math.round(from.height))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    fit(canvas);
  }
  canvas.getContext("2d", { alpha: false }).drawImage(drawn.bitmap, from.x, from.y, from.width, from.height, 0, 0, w, h);
}

/** Makes a canvas as large as its room, whatever its pixels: a small picture on a large screen is enlarged. */
function fit(canvas) {
  const room = canvas.parentElement;
  room.style.setProperty("--aspect", canvas.width / canvas.height);
  const free = getComputedStyle(canvas).position === "absolute";
  if (!free) {
    canvas.style.width = canvas.style.height = "";
    return;
  }
  const scale = Math.min(room.clientWidth / canvas.width, room.clientHeight / canvas.height);
  canvas.style.width = `${Math.floor(canvas.width * scale)}px`;
  canvas.style.height = `${Math.floor(canvas.height * scale)}px`;
}
addEventListener("resize", () => target && fit(target.canvas));
