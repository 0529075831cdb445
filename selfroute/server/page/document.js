// A document, opened at a place: the quoted span marked, and the chunks that were read shaded.
//
// Offsets count characters as the service does, by code point; a string of this language counts some twice.

import { api, at } from "./api.js";
import { button, dialog, el, problem } from "./dom.js";
import { count, isOwn, plural } from "./words.js";

const AROUND = 12_000;
/** Characters that are loaded on either side; twice as many at each step further. */

/** `source` is a corpus, or the text itself; `mark` a span {start, end} or null; `read` are the chunks' spans. */
export async function open({ source, id, mark, read = [], wholly = false }) {
  const place = el(
    "div",
    { class: "document", tabindex: "0", role: "region", "aria-label": `Text of ${id}` },
    "Loading…",
  );
  const about = el("p", { class: "about" });
  const shown = dialog(id, about, place);
  shown.classList.add("reader");
  const load =
    typeof source === "string"
      ? (from, to) => stored(source, id, from, to)
      : (from, to) => Promise.resolve(given(source.text, from, to));
  const range = { from: Math.max(0, (mark?.start ?? 0) - AROUND), to: (mark?.end ?? 0) + AROUND };

  async function draw(keep) {
    try {
      const part = await load(range.from, range.to);
      range.to = part.end;
      const more = (title, change) =>
        button(
          title,
          async () => {
            change();
            await draw(true);
          },
          "quiet more",
        );
      const text = el("div", { class: "text" }, pieces(part, mark, read));
      place.replaceChildren();
      if (part.start > 0)
        place.append(
          more("Show what comes before", () => {
            range.from = Math.max(0, range.from - 2 * AROUND);
          }),
        );
      place.append(text);
      if (part.end < part.characters)
        place.append(
          more("Show what comes after", () => {
            range.to += 2 * AROUND;
          }),
        );
      about.replaceChildren(...described(part, mark, read, wholly));
      if (!keep) (place.querySelector("mark") ?? place).scrollIntoView({ block: "center" });
    } catch (error) {
      const lost = typeof source === "string" && isOwn(source); // what a text that came with its question is called
      place.replaceChildren(lost ? el("p", {}, "This text came with its question, and was not kept.") : problem(error));
    }
  }
  await draw(false);
  return shown;
}

async function stored(corpus, id, from, to) {
  const part = await api(`${at(corpus, id)}?from=${from}&to=${to}`);
  return { ...part, points: Array.from(part.text) };
}

function given(text, from, to) {
  const points = Array.from(text);
  const end = Math.min(to, points.length);
  return { start: from, end, characters: points.length, pages: [], warnings: [], points: points.slice(from, end) };
}

function described(part, mark, read, wholly) {
  const page = mark && part.pages.length ? pageOf(part.pages, mark.start) : null;
  const legend = [];
  if (mark) legend.push(el("span", {}, el("mark", { class: "sample" }, "quoted")));
  if (read.length) legend.push(el("span", {}, el("span", { class: "chunk sample" }, "chunk that was read")));
  const size =
    `${plural(part.characters, "character")}` + (part.pages.length ? `, ${plural(part.pages.length, "page")}` : "");
  const warnings = part.warnings.map((warning) => `${warning[0].toUpperCase()}${warning.slice(1)}. `);
  return [
    page ? `Page ${count(page)}. ` : "",
    `${size}. `,
    ...warnings,
    wholly ? "The whole document was read. " : "",
    ...legend,
  ];
}

function pageOf(pages, at_) {
  return pages.filter((begins) => begins <= at_).length;
}

/** The text cut where something begins or ends, each piece as it is to look. */
function pieces(part, mark, read) {
  const inside = (at_) => at_ > part.start && at_ < part.end;
  const spans = [...read, ...(mark ? [mark] : [])].flatMap((span) => [span.start, span.end]);
  const cuts = [...new Set([part.start, ...[...spans, ...part.pages].filter(inside), part.end])].sort((a, b) => a - b);
  const begins = new Map(part.pages.map((begin, index) => [begin, index + 1]));
  const made = [];
  cuts.slice(0, -1).forEach((from, index) => {
    const text = part.points.slice(from - part.start, cuts[index + 1] - part.start).join("");
    const within = (span) => span.start <= from && from < span.end;
    if (begins.has(from)) made.push(el("span", { class: "page" }, `Page ${begins.get(from)}`));
    const shaded = read.some(within);
    const piece = mark && within(mark) ? el("mark", {}, text) : shaded ? null : text;
    made.push(shaded ? el("span", { class: "chunk" }, piece ?? text) : piece);
  });
  return made;
}
