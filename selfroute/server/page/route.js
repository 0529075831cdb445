// What was read, as a picture and as a table: chunks, then the whole document if they did not do, against what
// reading everything would have taken.

import { el, svg, table } from "./dom.js";
import { STAGES, count, dollars, plural, seconds, share, sum } from "./words.js";

const READINGS = [
  ["read_chunks", "rag", "Chunks"],
  ["read_documents", "long_context", "Whole document"],
];

/** The account of a question, from what is known of it so far: an answer, or the steps and calls of its stream, which
 * may have broken off. */
export function account({ steps = [], calls = [], answer = null, broken = false }) {
  const all = answer ? answer.calls : calls;
  const readings = READINGS.map(([stage, route, title]) => {
    const drafts = answer ? (answer.explain.drafts ?? []).filter((draft) => draft.route === route) : [];
    const told = steps.filter((step) => step.name === stage);
    const declined = answer ? drafts.at(-1)?.declined : told.at(-1)?.declined;
    const began = answer ? answer.path.includes(stage) : told.length > 0;
    const unsaid = answer ? "read" : broken ? "broken" : "reading";
    const said = declined === true ? "declined" : declined === false ? "answered" : unsaid;
    return { title, state: began ? said : "unread", tokens: tokens(all.filter((call) => call.stage === stage)) };
  });
  return {
    readings,
    ended: Boolean(answer),
    chunks: answer?.explain.hits?.length ?? null,
    read: readings.reduce((total, reading) => total + reading.tokens, 0),
    everything: answer?.long_context_tokens ?? null,
    outcome: answer?.outcome ?? (broken ? "broken" : null),
  };
}

const tokens = (calls) => calls.reduce((total, call) => total + call.usage.input_tokens, 0);

const STATES = {
  unread: "not read",
  reading: "reading…",
  declined: "declined",
  answered: "answered",
  read: "read",
  broken: "broken off",
};
const OUTCOMES = {
  answered: "Answer",
  not_in_document: "Not in the text",
  insufficient: "Not answered",
  broken: "No answer",
};

/** The picture. It is drawn anew when its place changes its width: side by side, or one below the other on a phone. */
export function picture(told) {
  const place = el("div", { class: "route" });
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const now = Math.round(contentRect.width);
    if (now && now !== width) place.replaceChildren(drawn(told, (width = now)));
  }).observe(place);
  return place;
}

function drawn(told, width) {
  const narrow = width < 520;
  const [gap, high] = [44, 62];
  const wide = narrow ? width - 4 : (width - 2 * gap - 4) / 3;
  const boxes = [
    ...told.readings.map((reading, index) => ({
      title: index === 0 && told.chunks ? plural(told.chunks, "chunk") : reading.title,
      said: reading.state === "unread" && told.ended ? (index ? "not needed" : "passed over") : STATES[reading.state],
      more: reading.tokens ? plural(reading.tokens, "token") : "",
      state: reading.state,
    })),
    { title: OUTCOMES[told.outcome] ?? "…", said: "", more: "", state: told.outcome ?? "unread" },
  ];
  if (told.readings[1].state === "unread" && told.ended && told.outcome === "insufficient") boxes[1].said = "not read";
  const parts = boxes.map((box, index) => {
    const [x, y] = narrow ? [2, 2 + index * (high + 26)] : [2 + index * (wide + gap), 2];
    const lines = [box.title, [box.said, box.more].filter(Boolean).join(" · ")].filter(Boolean);
    return svg(
      "g",
      { class: `box ${box.state}` },
      svg("rect", { x, y, width: wide, height: high, rx: 8 }),
      lines.map((line, row) =>
        svg(
          "text",
          {
            x: x + wide / 2,
            y: y + high / 2 + (lines.length === 1 ? 5 : row * 20 - 4),
            class: row ? "small" : "title",
          },
          line,
        ),
      ),
    );
  });
  const arrows = [0, 1].map((index) => {
    const passed = told.readings[index].state === "unread";
    const d = narrow
      ? `M${width / 2} ${2 + index * (high + 26) + high + 3}v16m-5 -6l5 6l5 -6`
      : `M${2 + index * (wide + gap) + wide + 6} ${2 + high / 2}h30m-7 -6l7 6l-7 6`;
    return svg("path", { d, class: `arrow${passed ? " passed" : ""}` });
  });
  const top = narrow ? 3 * high + 2 * 26 + 18 : high + 20;
  const bars = told.everything ? drawBars(told, width, top) : [];
  const height = top + (bars.length ? 72 : -10);
  return svg(
    "svg",
    { role: "img", "aria-label": inWords(told), width, height, viewBox: `0 0 ${width} ${height}` },
    arrows,
    parts,
    bars,
  );
}

function drawBars(told, width, top) {
  const most = Math.max(told.read, told.everything);
  const bar = (label, value, kind, y) => [
    svg("text", { x: 2, y: y + 11, class: "label" }, `${label}: ${plural(value, "token")}`),
    svg("rect", { x: 2, y: y + 17, width: width - 4, height: 8, rx: 4, class: "track" }),
    svg("rect", {
      x: 2,
      y: y + 17,
      width: Math.max(3, ((width - 4) * value) / most),
      height: 8,
      rx: 4,
      class: `bar ${kind}`,
    }),
  ];
  return [
    ...bar("Read", told.read, "read", top),
    ...bar("Reading everything", told.everything, "everything", top + 36),
  ].flat();
}

function inWords(told) {
  const readings = told.readings.map(
    (reading) =>
      `${reading.title}: ${STATES[reading.state]}` + (reading.tokens ? `, ${plural(reading.tokens, "token")}` : ""),
  );
  return (
    `The route. ${readings.join(". ")}.` +
    (told.everything ? ` Reading everything: ${plural(told.everything, "token")}.` : "")
  );
}

/** Each step with its tokens, cost and seconds, and what reading everything would have taken. */
export function costs(answer) {
  const stages = Object.keys(STAGES).filter((stage) => answer.calls.some((call) => call.stage === stage));
  const rows = stages.map((stage) => {
    const calls = answer.calls.filter((call) => call.stage === stage);
    const failed = calls.filter((call) => call.error).length;
    return {
      name: STAGES[stage] + (failed ? ` (${failed} of ${plural(calls.length, "attempt")} failed)` : ""),
      model: [...new Set(calls.map((call) => call.model))].join(", "),
      read: count(tokens(calls)) + (calls.some((call) => call.estimated) ? " (estimated)" : ""),
      written: count(calls.reduce((total, call) => total + call.usage.output_tokens, 0)),
      cost: dollars(sum(calls.map((call) => call.cost))),
      seconds: seconds(calls.reduce((total, call) => total + call.seconds, 0)),
    };
  });
  const { totals } = answer;
  const read = totals.usage.input_tokens - totals.embedding_tokens - totals.rewrite_tokens - totals.judging_tokens;
  const saved = answer.saved_tokens;
  const foot = [
    {
      name: "In all",
      model: "",
      read: count(totals.usage.input_tokens),
      written: count(totals.usage.output_tokens),
      cost: dollars(totals.cost),
      seconds: seconds(totals.seconds),
    },
    {
      name: "Reading everything",
      model: "",
      read: count(answer.long_context_tokens),
      written: "",
      cost: dollars(answer.long_context_cost),
      seconds: "",
    },
  ];
  return [
    el("p", { class: "saved" }, verdict(saved, share(read, answer.long_context_tokens))),
    table(
      "Tokens, cost and time by step",
      [
        ["Step", (row) => [row.name, row.model && el("small", {}, row.model)]],
        ["Tokens read", (row) => row.read, true],
        ["Written", (row) => row.written, true],
        ["Cost", (row) => row.cost, true],
        ["Time", (row) => row.seconds, true],
      ],
      rows,
      foot,
    ),
  ];
}

function verdict(saved, part) {
  if (saved > 0) return `${plural(saved, "token")} saved: the readers saw ${part} of what reading everything takes.`;
  if (saved < 0) return `${plural(-saved, "token")} more than reading everything at once: the chunks came on top.`;
  return "As much as reading everything.";
}
