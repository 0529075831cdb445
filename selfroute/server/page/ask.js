// Ask a question and see what it took: the answer as it is made, its route, its citations, and earlier questions.

import { api, asked } from "./api.js";
import { dialog, el, problem, say } from "./dom.js";
import { open } from "./document.js";
import { earlier, forget, remember } from "./history.js";
import { account, costs, picture } from "./route.js";
import { POLICIES, moment, outcome, plural, share } from "./words.js";

export const title = "Ask";

const TEXT = "\u0000text";
const KNOWN = ["self_route", "evidence_gated", "calibrated", "always_rag", "always_long"];
/** What was last written into the form: it is there again when one comes back. */
const draft = { question: "", corpus: null, policy: "self_route", text: "", name: "" };
/** Texts that were asked here, by question: the service does not keep them. */
const texts = new Map();
/** For `corpora`: files that were dropped here and must be uploaded there. */
export const dropped = { files: [] };

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
      place.replaceChildren(...told(record.answer, record.feedback, record.asked_at));
      say(outcome(record.answer));
    } else {
      const why = record.error ? `It failed: ${record.error}` : "It is being answered, or was asked of an earlier selfroute.";
      place.replaceChildren(el("h2", {}, record.question ?? "A question without words"), problem({ title: "There is no answer on record", detail: why }));
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
    el("ol", { class: "earlier" }, questions.map((one) => el("li", {},
      el("a", { href: `/q/${encodeURIComponent(one.id)}`, "aria-current": one.id === current ? "page" : null }, one.question || "A question without words"),
      el("small", {}, `${one.corpus} · ${moment(one.at)}`)))),
    el("button", { type: "button", class: "quiet", on: { click: () => { forget(); listEarlier(place, current); } } }, "Forget these"));
}

function makeForm(result, go, signal, listed) {
  const question = el("textarea", { id: "question", rows: 2, required: true, placeholder: "What do you want to know?" });
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
    policy.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === draft.policy }, name)));
    explained();
  };
  const explained = () => {
    draft.policy = policy.value;
    policySaid.textContent = POLICIES[policy.value] ?? "";
  };
  source.addEventListener("change", chosen);
  policy.addEventListener("change", explained);
  question.addEventListener("input", () => { draft.question = question.value; });
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
      result.replaceChildren(problem({ title: "There is no text to ask", detail: "Write or drop one, or choose a corpus." }));
      return;
    }
    const ending = new AbortController();
    const end = () => ending.abort();
    signal.addEventListener("abort", end, { once: true });
    stop.onclick = end;
    submit.disabled = true;
    stop.hidden = false;
    const sent = { question: question.value, policy: policy.value, ...(text ? { text: draft.text } : { corpus: source.value }) };
    const answer = await follow(sent, result, ending.signal);
    submit.disabled = false;
    stop.hidden = true;
    if (answer && !signal.aborted) {
      history.pushState(null, "", `/q/${encodeURIComponent(answer.id)}`);
      listed(answer.id);
    }
  };
  const form = el("form", { class: "ask-form", on: { submit: send } },
    el("label", { for: "question" }, "Question"), question,
    el("div", { class: "fields" },
      el("div", {}, el("label", { for: "source" }, "Of"), source),
      el("div", {}, el("label", { for: "policy" }, "Policy"), policy, policySaid),
      el("div", { class: "row" }, submit, stop)),
    own);
  own.takes(form, () => { source.value = TEXT; chosen(); });
  chosen();

  Promise.all([api("/v1/corpora", { signal }), api("/v1/models", { signal })]).then(([{ corpora }, { data }]) => {
    for (const { id } of data) {
      const cut = id.indexOf("@");
      const name = id.slice(cut + 1);
      offered.set(name, [...(offered.get(name) ?? []), id.slice(0, cut)]);
    }
    const usable = corpora.filter((one) => !one.problem);
    source.prepend(...usable.map((one) => el("option", { value: one.name }, `${one.name} (${plural(one.documents, "document")})`)));
    const kept = usable.some((one) => one.name === draft.corpus) ? draft.corpus : draft.text ? TEXT : usable[0]?.name;
    source.value = kept ?? TEXT;
    chosen();
  }, (error) => { if (error.name !== "AbortError") result.prepend(problem(error)); });
  return form;
}

/** Where a text is written or a file dropped in place of a corpus. */
function ownText(go) {
  const area = el("textarea", { id: "own-text", rows: 5, placeholder: "Write or paste a text, or drop a file here." });
  area.value = draft.text;
  const file = el("input", { type: "file", id: "own-file" });
  const said = el("p", { class: "about", role: "status" }, draft.name);
  const place = el("fieldset", { class: "own" }, el("legend", {}, "A text of mine"),
    el("label", { for: "own-text" }, "Text"), area,
    el("label", { for: "own-file" }, "or a text file"), file, said);
  area.addEventListener("input", () => { draft.text = area.value; draft.name = ""; said.textContent = ""; });

  const take = async (taken) => {
    const text = await asText(taken);
    if (text === null) {
      const upload = el("button", { type: "button", on: { click: () => { dropped.files = [taken]; go("/#corpora"); } } }, "Upload it to a corpus");
      said.replaceChildren(`${taken.name} is not plain text, so it cannot be asked as it is: upload it to a corpus, and ask that. `, upload);
      return;
    }
    area.value = draft.text = text;
    draft.name = `${taken.name}, ${plural(Array.from(text).length, "character")}. It is sent with the question and not kept.`;
    said.textContent = draft.name;
  };
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  place.takes = (target, chosen) => {
    target.addEventListener("dragover", (event) => { event.preventDefault(); target.classList.add("over"); });
    target.addEventListener("dragleave", () => target.classList.remove("over"));
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      target.classList.remove("over");
      if (event.dataTransfer.files[0]) {
        chosen();
        take(event.dataTransfer.files[0]);
      }
    });
  };
  return place;
}

/** A file's text, or null if it is none: pages and markup are read better from a corpus. */
async function asText(file) {
  if (/\.(pdf|docx|epub|html?|xhtml)$/i.test(file.name)) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.includes("\u0000") ? null : text;
  } catch {
    return null;
  }
}

/** Asks, and shows what happens as it happens; resolves to the answer, or null. */
async function follow(sent, place, signal) {
  const state = { steps: [], calls: [], answer: null };
  const words = el("p", { class: "answer", "aria-busy": "true" });
  const now = el("p", { class: "now" }, "Looking for chunks…");
  const route = el("div");
  const draw = () => route.replaceChildren(picture(account(state)));
  place.replaceChildren(el("h2", {}, sent.question), now, words, el("section", { "aria-label": "Route" }, el("h3", {}, "Route"), route));
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
    if (!state.answer) throw { title: "The answer broke off", detail: "The connection ended before the answer did. Ask again; what was read so far is in the usage." };
  } catch (error) {
    const ended = signal.aborted || error.name === "AbortError";
    now.replaceWith(ended ? el("p", { class: "now" }, "Stopped. What was read so far is in the usage.") : problem(error));
    words.removeAttribute("aria-busy");
    return null;
  }
  if (sent.text !== undefined) texts.set(state.answer.id, sent.text);
  remember(state.answer);
  place.replaceChildren(...told(state.answer, []));
  say(`${outcome(state.answer)} ${state.answer.answer ?? ""}`);
  return state.answer;
}

function progress({ name, declined }) {
  const readings = { read_chunks: "the chunks", read_documents: "the whole document" };
  const what = readings[name];
  if (!what) return name === "retrieve" ? "Looking for chunks…" : `${name.replaceAll("_", " ")}…`;
  if (declined === null) return `Reading ${what}…`;
  return declined ? `Declined: ${what === "the chunks" ? "the chunks do" : "the document does"} not answer.` : `Answered from ${what}.`;
}

/** An answer with its whole account. */
function told(answer, feedback, when) {
  const words = answer.answer === null ? el("p", { class: "answer none" }, "No answer") : el("p", { class: "answer" }, answer.answer);
  const facts = [`${answer.policy} at ${answer.corpus}`, answer.confidence === null ? "" : `confidence ${share(answer.confidence, 1)}`, `${share(answer.coverage, 1)} of the text was read`, when ? moment(when) : ""];
  const warnings = [...answer.warnings, ...(answer.unsupported ? ["No passage of the text proves this answer."] : [])];
  return [
    el("h2", {}, answer.question ?? "A question without words"),
    words,
    el("p", { class: "outcome" }, outcome(answer)),
    el("p", { class: "about" }, facts.filter(Boolean).join(" · ")),
    warnings.length ? el("ul", { class: "warnings", "aria-label": "Warnings" }, warnings.map((warning) => el("li", {}, warning))) : null,
    feedbackOn(answer, feedback),
    el("section", { "aria-labelledby": "route-title" }, el("h3", { id: "route-title" }, "Route"), picture(account({ steps: [], calls: [], answer })), costs(answer)),
    citations(answer),
  ].filter(Boolean);
}

function citations(answer) {
  const hits = answer.explain.hits ?? [];
  const own = answer.corpus === "text" ? texts.get(answer.id) : undefined;
  const wholly = answer.path.includes("read_documents");
  const opened = (citation) => {
    const read = answer.path.includes("read_chunks") ? hits.filter((hit) => hit.document === citation.document) : [];
    const source = own === undefined ? answer.corpus : { text: own };
    open({ source, id: citation.document, mark: citation, read, wholly });
  };
  const items = answer.citations.map((citation) => el("li", {},
    el("button", { type: "button", class: "citation", on: { click: () => opened(citation) } },
      el("span", { class: "where" }, citation.document + (citation.page ? `, page ${citation.page}` : "")),
      el("q", {}, citation.text))));
  return el("section", { "aria-labelledby": "citations-title" }, el("h3", { id: "citations-title" }, "Citations"),
    items.length ? el("ol", { class: "citations" }, items) : el("p", { class: "about" }, "None."));
}

function feedbackOn(answer, given) {
  const said = el("span", { role: "status" }, given.length ? `Said to be ${given.at(-1).verdict}.` : "");
  const give = async (verdict, better) => {
    try {
      await api(`/v1/questions/${encodeURIComponent(answer.id)}/feedback`, { method: "POST", body: { verdict, ...(better ? { better_answer: better } : {}) } });
      said.textContent = `Thank you: said to be ${verdict}.`;
    } catch (error) {
      said.replaceChildren(problem(error));
    }
  };
  const wrong = () => {
    const field = el("input", { id: "better", type: "text", autocomplete: "off" });
    const send = (event) => { event.preventDefault(); asked_.close(); give("wrong", field.value.trim()); };
    const asked_ = dialog("What would be right?", el("form", { on: { submit: send } },
      el("label", { for: "better" }, "The right answer, if you know it"), field,
      el("div", { class: "row" }, el("button", { type: "submit" }, "Say that it is wrong"))));
    asked_.classList.add("small");
    field.focus();
  };
  return el("div", { class: "row feedback" },
    el("button", { type: "button", class: "quiet", on: { click: () => give("right") } }, "Right"),
    el("button", { type: "button", class: "quiet", on: { click: wrong } }, "Wrong"), said);
}
