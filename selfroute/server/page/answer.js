// An answer with its account: how it ended, its route, its citations, and whether it is right.

import { api } from "./api.js";
import { button, dialog, el, problem } from "./dom.js";
import { open } from "./document.js";
import { account, costs, picture } from "./route.js";
import { isOwn, moment, outcome, share, sourceName } from "./words.js";

/** Texts that were asked here, by question: the service does not keep them. */
const texts = new Map();

/** An answer with its whole account; `feedback` is what was said of it, `text` what was asked, if that was no
 * corpus. */
export function told(answer, { feedback = [], when, text }) {
  if (text !== undefined) texts.set(answer.id, text);
  const words =
    answer.answer === null
      ? el("p", { class: "answer none" }, "No answer")
      : el("p", { class: "answer" }, answer.answer);
  const facts = [
    `${answer.policy} at ${sourceName(answer.corpus)}`,
    answer.confidence === null ? "" : `confidence ${share(answer.confidence, 1)}`,
    `${share(answer.coverage, 1)} of the text was read`,
    when ? moment(when) : "",
  ];
  const warnings = [...answer.warnings, ...(answer.unsupported ? ["No passage of the text proves this answer."] : [])];
  return [
    el("h2", {}, answer.question ?? "A question without words"),
    words,
    el("p", { class: "outcome" }, outcome(answer)),
    el("p", { class: "about" }, facts.filter(Boolean).join(" · ")),
    warnings.length
      ? el(
          "ul",
          { class: "warnings", "aria-label": "Warnings" },
          warnings.map((warning) => el("li", {}, warning)),
        )
      : null,
    feedbackOn(answer, feedback),
    el(
      "section",
      { "aria-labelledby": "route-title" },
      el("h3", { id: "route-title" }, "Route"),
      picture(account({ answer })),
      costs(answer),
    ),
    citations(answer),
  ].filter(Boolean);
}

function citations(answer) {
  const hits = answer.explain.hits ?? [];
  const own = isOwn(answer.corpus) ? texts.get(answer.id) : undefined;
  const wholly = answer.path.includes("read_documents");
  const opened = (citation) => {
    const read = answer.path.includes("read_chunks") ? hits.filter((hit) => hit.document === citation.document) : [];
    const source = own === undefined ? answer.corpus : { text: own };
    open({ source, id: citation.document, mark: citation, read, wholly });
  };
  const items = answer.citations.map((citation) =>
    el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "citation", on: { click: () => opened(citation) } },
        el("span", { class: "where" }, citation.document + (citation.page ? `, page ${citation.page}` : "")),
        el("q", {}, citation.text),
      ),
    ),
  );
  return el(
    "section",
    { "aria-labelledby": "citations-title" },
    el("h3", { id: "citations-title" }, "Citations"),
    items.length ? el("ol", { class: "citations" }, items) : el("p", { class: "about" }, "None."),
  );
}

function feedbackOn(answer, given) {
  const said = el("span", { role: "status" }, given.length ? `Said to be ${given.at(-1).verdict}.` : "");
  const give = async (verdict, right) => {
    try {
      await api(`/v1/questions/${encodeURIComponent(answer.id)}/feedback`, {
        method: "POST",
        body: { verdict, ...(right ? { better_answer: right } : {}) },
      });
      said.textContent = `Thank you: said to be ${verdict}.`;
    } catch (error) {
      said.replaceChildren(problem(error));
    }
  };
  const wrong = () => {
    const field = el("input", { id: "better", type: "text", autocomplete: "off" });
    const send = (event) => {
      event.preventDefault();
      better.close();
      give("wrong", field.value.trim());
    };
    const better = dialog(
      "What would be right?",
      el(
        "form",
        { on: { submit: send } },
        el("label", { for: "better" }, "The right answer, if you know it"),
        field,
        el("div", { class: "row" }, el("button", { type: "submit" }, "Say that it is wrong")),
      ),
    );
    better.classList.add("small");
    field.focus();
  };
  return el(
    "div",
    { class: "row feedback" },
    button("Right", () => give("right"), "quiet"),
    button("Wrong", wrong, "quiet"),
    said,
  );
}
