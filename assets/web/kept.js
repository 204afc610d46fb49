// What was kept: pictures, a player, download, protect, delete (asked twice).

import { $, ask, el, shape, tell, text } from "./dom.js";
import { get, now, post, wire } from "./link.js";
import { refusal } from "./actions.js";
import { bytes, interval, percent, t, when } from "./words.js";

let shown = false;

export function begin() {
  wire.addEventListener("note", () => shown && load());
}
export function open() {
  shown = true;
  load();
}
export function close() {
  shown = false;
  // Players stop.
  $("things").replaceChildren();
}

export async function load() {
  if (!now.hello) return;
  if (!now.hello.signed_in) return say(t("why-sign-in"));
  try {
    const { evidence, bytes: held, bound } = await get("/api/evidence");
    say(evidence.length ? "" : t("kept-none"));
    const most = bound?.bytes ?? bound?.max_bytes;
    text($("kept-bound"), evidence.length ? (most ? t("kept-room", { held: bytes(held), most: bytes(most) }) : bytes(held)) : "");
    $("things").replaceChildren(...evidence.map(thing));
  } catch (error) {
    say(refusal(error));
  }
}

function say(words) {
  text($("kept-why"), words);
  if (words) {
    text($("kept-bound"), "");
    $("things").replaceChildren();
  }
}

const place = (name, file) => `/api/evidence/${encodeURIComponent(name)}/${encodeURIComponent(file)}`;

function thing(item) {
  const find = (ending) => item.files.find((file) => file.endsWith(ending));
  const [video, picture] = [find(".mp4"), find("picture.png") ?? find(".png")];
  // What is looked at first stands first.
  const files = [video, picture, ...item.files].filter((file, i, all) => file && all.indexOf(file) === i);
  const at = item.taken_at ? when(new Date(item.taken_at)) : item.name;
  const title = `${t(`kind-${item.kind}`)}, ${at}`;
  const shownAs = video
    ? el("video", { src: place(item.name, video), controls: true, preload: "metadata", "aria-label": title, poster: picture ? place(item.name, picture) : null })
    : picture
      ? el("a", { href: place(item.name, picture), target: "_blank", rel: "noopener" }, el("img", { src: place(item.name, picture), alt: title, loading: "lazy" }))
      : el("p", { class: "dim" }, t("no-picture"));
  const score = item.score;
  const facts = [
    item.nodule != null && t("nodule", { number: item.nodule }),
    item.label,
    typeof score === "number" && `${percent(score)} %`,
    score?.malignancy != null && `${percent(score.malignancy)} %`,
    score?.interval && interval(score.interval),
    bytes(item.bytes),
    item.views_proven === false && t("all-black"),
  ].filter(Boolean);
  const change = async (what) => {
    try {
      await post(`/api/evidence/${encodeURIComponent(item.name)}`, { do: what });
      tell(t(`done-${what}`));
    } catch (error) {
      tell(refusal(error), false);
    }
    load();
  };
  const remove = () => {
    const sure = el("button", { type: "button", class: "bad", on: { click: () => { $("dialog").close(); change("delete"); } } }, t("delete-yes"));
    const no = el("button", { type: "button", on: { click: () => $("dialog").close() } }, t("cancel"));
    ask(t("delete-sure"), el("div", { class: "body" }, el("p", {}, title), el("p", { class: "dim" }, t("delete-why")), el("div", { class: "row" }, no, sure)));
    no.focus();
  };
  return el(
    "li",
    { class: "card thing" },
    shownAs,
    el("h2", {}, title, item.protected && el("span", { class: "tag" }, t("protected"))),
    el("p", { class: "dim" }, facts.join(" · ")),
    el(
      "div",
      { class: "row" },
      files.map((file) =>
        el("a", { class: "button", href: `${place(item.name, file)}?download`, download: `${item.name}-${file}`, "aria-label": `${t("download")} ${file}, ${title}` }, shape("i-down"), file),
      ),
      el("button", { type: "button", "aria-label": `${t(item.protected ? "unprotect" : "protect")}, ${title}`, on: { click: () => change(item.protected ? "unprotect" : "protect") } }, shape(item.protected ? "i-open" : "i-lock"), t(item.protected ? "unprotect" : "protect")),
      el("button", { type: "button", class: "bad", "aria-label": `${t("delete")}, ${title}`, "aria-disabled": String(item.protected), on: { click: () => (item.protected ? tell(t("why-protected"), false) : remove()) } }, shape("i-delete"), t("delete")),
    ),
  );
}
