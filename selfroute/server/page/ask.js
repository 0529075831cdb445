// Ask a question and see what it took: the answer as it is made, its route, its citations, and earlier questions.

import { told } from "./answer.js";
import { api, asked } from "./api.js";
import { button, el, problem, say } from "./dom.js";
import { earlier, forget, remember } from "./history.js";
import { draft, ownText } from "./own.js";
import { account, picture } from "./route.js";
import { POLICIES, moment, outcome, plural, sourceName } from "./words.js";

export const title = "Ask";

const TEXT = "\u0000text";
const KNOWN = ["self_route", "evidence_gated", "calibrated", "always_rag", "always_long"];
/** What a text can be asked by. */

export function show(root, id, { go, signal }) {
  const result = el("div", { class: "result" });
  const asides = el("aside", { "aria-label": "Earlier questions" });
  const form = makeForm(result, go, signal, (current) => listEarlier(asides, current));
  root.append(el("div", { class: "columns" }, el("div", {}, form, result), asides));
  listEarlier(asides, id);
  if (id) reopen(id, result, signal);
}

async function reopen(id, place, signal) {
  place.replaceChildren(el("p", { class: "about" }, "Loading the question…"));
  try {
    const record = await api(`/v1/questions/${encodeURIComponent(id)}`, { signal });
    if (record.answer) {
      place.replaceChildren(...told(record.answer, { feedback: record.feedback, when: record.asked_at }));
      say(outcome(record.answer));
    } else {
      const why = record.error
        ? `It failed: ${record.error}`
        : "It is being answered, or was asked of an earlier selfroute.";
      place.replaceChildren(
        el("h2", {}, record.question ?? "A question without words"),
        problem({ title: "There is no answer on record", detail: why }),
      );
    }
  } catch (error) {
    if (error.name !== "AbortError") place.replaceChildren(problem(error));
  }
}

function listEarlier(place, current) {
  const questions = earlier();
  place.replaceChildren(el("h2", {}, "Earlier questions"));
  if (!questions.length) {
    place.append(el("p", { class: "about" }, "What you ask in this browser is listed here."));
    return;
  }
  place.append(
    el(
      "ol",
      { class: "earlier" },
      questions.map((one) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: `/q/${encodeURIComponent(one.id)}`, "aria-current": one.id === current ? "page" : null },
            one.question || "A question without words",
          ),
          el("small", {}, `${sourceName(one.corpus)} · ${moment(one.at)}`),
        ),
      ),
    ),
    button(
      "Forget these",
      () => {
        forget();
        listEarlier(place, current);
      },
      "quiet",
    ),
  );
}

function makeForm(result, go, signal, listed) {
  const question = el("textarea", {
    id: "question",
    rows: 2,
    required: true,
    placeholder: "What do you want to know?",
  });
  question.value = draft.question;
  const source = el("select", { id: "source" }, el("option", { value: TEXT }, "a text or file of mine…"));
  const policy = el("select", { id: "policy", "aria-describedby": "policy-said" });
  const policySaid = el("small", { id: "policy-said" });
  const own = ownText(go);
  const submit = el("button", { type: "submit" }, "Ask");
  const stop = el("button", { type: "button", class: "quiet", hidden: true }, "Stop");
  const offered = new Map();

  const chosen = () => {
    draft.corpus = source.value === TEXT ? null : source.value;
    own.hidden = source.value !== TEXT;
    const names = offered.get(source.value) ?? KNOWN;
    policy.replaceChildren(
      ...names.map((name) => el("option", { value: name, selected: name === draft.policy }, name)),
    );
    explained();
  };
  const explained = () => {
    draft.policy = policy.value;
    policySaid.textContent = POLICIES[policy.value] ?? "";
  };
  source.addEventListener("change", chosen);
  policy.addEventListener("change", explained);
  question.addEventListener("input", () => {
    draft.question = question.value;
  });
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  const send = async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    const text = source.value === TEXT;
    if (text && !draft.text) {
      result.replaceChildren(
        problem({ title: "There is no text to ask", detail: "Write or drop one, or choose a corpus." }),
      );
      return;
    }
    const ending = new AbortController();
    const end = () => ending.abort();
    signal.addEventListener("abort", end, { once: true });
    stop.onclick = end;
    submit.disabled = true;
    stop.hidden = false;
    const sent = {
      question: question.value,
      policy: policy.value,
      ...(text ? { text: draft.text } : { corpus: source.value }),
    };
    const answer = await follow(sent, result, ending.signal);
    submit.disabled = false;
    stop.hidden = true;
    if (answer && !signal.aborted) {
      history.pushState(null, "", `/q/${encodeURIComponent(answer.id)}`);
      listed(answer.id);
    }
  };
  const form = el(
    "form",
    { class: "ask-form", on: { submit: send } },
    el("label", { for: "question" }, "Question"),
    question,
    el(
      "div",
      { class: "fields" },
      el("div", {}, el("label", { for: "source" }, "Of"), source),
      el("div", {}, el("label", { for: "policy" }, "Policy"), policy, policySaid),
      el("div", { class: "row" }, submit, stop),
    ),
    own,
  );
  own.takes(form, () => {
    source.value = TEXT;
    chosen();
  });
  chosen();
  own.hidden = true; // until it is known what else there is

  Promise.all([api("/v1/corpora", { signal }), api("/v1/models", { signal })]).then(
    ([{ corpora }, { data }]) => {
      for (const { id } of data) {
        const cut = id.indexOf("@");
        const name = id.slice(cut + 1);
        offered.set(name, [...(offered.get(name) ?? []), id.slice(0, cut)]);
      }
      const usable = corpora.filter((one) => !one.problem);
      source.prepend(
        ...usable.map((one) => el("option", { value: one.name }, `${one.name} (${plural(one.documents, "document")})`)),
      );
      const kept = usable.some((one) => one.name === draft.corpus) ? draft.corpus : draft.text ? TEXT : usable[0]?.name;
      source.value = kept ?? TEXT;
      chosen();
    },
    (error) => {
      if (error.name === "AbortError") return;
      chosen();
      result.prepend(problem(error));
    },
  );
  return form;
}

/** Asks, and shows what happens as it happens; resolves to the answer, or null. */
async function follow(sent, place, signal) {
  const state = { steps: [], calls: [], answer: null, broken: false };
  const words = el("p", { class: "answer", "aria-busy": "true" });
  const now = el("p", { class: "now" }, "Looking for chunks…");
  const route = el("div");
  const draw = () => route.replaceChildren(picture(account(state)));
  place.replaceChildren(
    el("h2", {}, sent.question),
    now,
    words,
    el("section", { "aria-label": "Route" }, el("h3", {}, "Route"), route),
  );
  draw();
  say("Asked.");
  if (place.getBoundingClientRect().top > innerHeight * 0.7) place.scrollIntoView();
  try {
    for await (const [name, data] of asked(sent, signal)) {
      if (name === "step") {
        state.steps.push(data);
        now.textContent = progress(data);
        say(now.textContent);
        draw();
      } else if (name === "call") {
        state.calls.push(data);
        draw();
      } else if (name === "delta") {
        words.append(data.text);
      } else if (name === "error") {
        throw data;
      } else if (name === "done") {
        state.answer = data;
      }
    }
    if (!state.answer)
      throw {
        title: "The answer broke off",
        detail: "The connection ended before the answer did. Ask again; what was read so far is in the usage.",
      };
  } catch (error) {
    const ended = signal.aborted || error.name === "AbortError";
    now.replaceWith(
      ended ? el("p", { class: "now" }, "Stopped. What was read so far is in the usage.") : problem(error),
    );
    words.removeAttribute("aria-busy");
    state.broken = true;
    draw();
    return null;
  }
  remember(state.answer);
  place.replaceChildren(...told(state.answer, { text: sent.text }));
  say(`${outcome(state.answer)} ${state.answer.answer ?? ""}`);
  return state.answer;
}

function progress({ name, declined }) {
  const readings = { read_chunks: "the chunks", read_documents: "the whole document" };
  const what = readings[name];
  if (!what) return name === "retrieve" ? "Looking for chunks…" : `${name.replaceAll("_", " ")}…`;
  if (declined === null) return `Reading ${what}…`;
  return declined
    ? `Declined: ${what === "the chunks" ? "the chunks do" : "the document does"} not answer.`
    : `Answered from ${what}.`;
}
