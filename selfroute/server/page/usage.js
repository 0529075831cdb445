// What questions took: by day, policy, route and model, as plots and as the tables that they are drawn from.

import { api } from "./api.js";
import { el, problem, say, table } from "./dom.js";
import { bars, ready } from "./plots.js";
import { count, dollars, share, sum } from "./words.js";

export const title = "Usage";

const GROUPS = [
  ["day", "By day"],
  ["policy", "By policy"],
  ["route", "By route"],
  ["model", "By model"],
];
const ROUTES = {
  rag: "chunks (rag)",
  long_context: "whole documents (long_context)",
  unfinished: "unfinished",
  judge: "a judge's",
};

export async function show(root, _, { signal }) {
  const from = el("input", { type: "date", id: "from" });
  const to = el("input", { type: "date", id: "to" });
  const corpus = el("select", { id: "corpus" }, el("option", { value: "" }, "all"));
  const place = el("div");
  const draw = async (event) => {
    event?.preventDefault();
    place.setAttribute("aria-busy", "true");
    try {
      const within = new URLSearchParams(
        Object.entries({ from: from.value, to: to.value, corpus: corpus.value }).filter(([, value]) => value),
      );
      const told = await Promise.all(GROUPS.map(([group]) => api(`/v1/usage?group=${group}&${within}`, { signal })));
      const drawing = await ready();
      place.replaceChildren(...pictured(Object.fromEntries(told.map(({ group, rows }) => [group, rows])), drawing));
      say("Usage is shown.");
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(problem(error));
    }
    place.removeAttribute("aria-busy");
  };
  root.append(
    el(
      "form",
      { class: "inline", on: { submit: draw, change: draw } },
      el("div", {}, el("label", { for: "from" }, "From (UTC)"), from),
      el("div", {}, el("label", { for: "to" }, "To"), to),
      el("div", {}, el("label", { for: "corpus" }, "Corpus"), corpus),
    ),
    place,
  );
  api("/v1/corpora", { signal }).then(
    ({ corpora }) => corpus.append(...corpora.map(({ name }) => el("option", {}, name))),
    () => {
      /* all of them, then */
    },
  );
  await draw();
}

// What evaluations read and what judges took is in the tables, each in groups of its own.
function asked(row) {
  return !row.judging && !row.evaluation;
}

function kind(row) {
  const named = row.judging ? "judging" : row.evaluation ? "evaluation" : row.key;
  return named === row.key ? "" : ` (${named})`;
}

function pictured(groups, drawing) {
  const days = groups.day.filter(asked);
  if (!groups.day.length) return [el("p", { class: "about" }, "Nothing was asked in this time.")];
  const all = (of) => days.reduce((total, row) => total + of(row), 0);
  const questions = all((row) => row.questions);
  const totals = [
    ["Questions", count(questions), "questions"],
    ["Tokens read", count(all((row) => row.usage.input_tokens)), "read"],
    ["Tokens saved", count(all((row) => row.saved_tokens)), "saved"],
    ["Cost", dollars(sum(days.map((row) => row.cost))), "cost"],
    [
      "Escalated",
      share(
        all((row) => row.escalated),
        questions,
      ),
      "escalated",
    ],
  ];
  return [
    el(
      "dl",
      { class: "facts tiles" },
      totals.map(([term, value, name]) => el("div", { "data-total": name }, el("dt", {}, term), el("dd", {}, value))),
    ),
    drawing
      ? ""
      : el(
          "p",
          { class: "about" },
          "Plots need the package mpld3 where the service runs; the tables hold the same figures.",
        ),
    ...GROUPS.flatMap(([group, name]) => [
      el("h2", {}, name),
      drawing ? plot(group, groups[group]) : "",
      figures(group, name, groups[group]),
    ]),
  ];
}

function plot(group, rows) {
  const shown = rows.filter(asked);
  if (!shown.length) return "";
  const label = (row) => ROUTES[row.key]?.replace(/ \(.*/, "") ?? row.key;
  const series =
    group === "model"
      ? [["read", "tokens read or embedded", (row) => row.usage.input_tokens + row.embedding_tokens]]
      : [
          ["read", "tokens read", (row) => row.usage.input_tokens],
          ["everything", "reading everything", (row) => row.long_context_tokens],
        ];
  return bars(
    shown.map((row) => ({ label: label(row), values: series.map(([, , of]) => of(row)) })),
    series.map(([kind, name]) => ({ kind, name })),
    { upright: group === "day", title: `Tokens ${GROUPS.find(([one]) => one === group)[1].toLowerCase()}` },
  );
}

function figures(group, name, rows) {
  const ofQuestions =
    group === "model"
      ? [["Embedded", (row) => count(row.embedding_tokens), true]]
      : [
          ["Reading everything", (row) => count(row.long_context_tokens), true],
          ["Saved", (row) => count(row.saved_tokens), true],
          ["Escalated", (row) => (row.escalated === null ? "–" : share(row.escalated, row.questions)), true],
        ];
  return table(
    `${name}: questions, tokens and cost`,
    [
      [
        name.replace("By ", "").replace(/^./, (first) => first.toUpperCase()),
        (row) => (ROUTES[row.key] ?? row.key) + kind(row),
      ],
      ["Questions", (row) => count(row.questions), true],
      ["Calls", (row) => count(row.calls), true],
      ["Read", (row) => count(row.usage.input_tokens), true],
      ["Written", (row) => count(row.usage.output_tokens), true],
      ...ofQuestions,
      ["Cost", (row) => dollars(row.cost), true],
    ],
    rows,
  );
}
