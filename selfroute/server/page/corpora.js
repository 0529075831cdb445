// Corpora: what there is, what is in it, and what is being added to it.

import { api, at, headers, told, Problem } from "./api.js";
import { dropped } from "./ask.js";
import { confirmed, el, problem, say, table } from "./dom.js";
import { open } from "./document.js";
import { bytes, count, moment, plural } from "./words.js";

export const title = "Corpora";

const LOOK = 700;
/** Milliseconds between looks at jobs that run. */

const link = (name) => `/#corpora/${encodeURIComponent(name)}`;

export async function show(root, name, shared) {
  try {
    await (name ? one(root, name, shared) : all(root, shared));
  } catch (error) {
    if (error.name !== "AbortError") root.append(problem(error));
  }
}

async function all(root, { go, signal }) {
  const field = el("input", { id: "new-corpus", required: true, maxlength: 64, autocomplete: "off" });
  const said = el("div");
  const create = async (event) => {
    event.preventDefault();
    try {
      const { name } = await api("/v1/corpora", { method: "POST", body: { name: field.value } });
      go(link(name));
    } catch (error) {
      said.replaceChildren(problem(error));
    }
  };
  const list = el("div", {}, el("p", { class: "about" }, "Loading…"));
  root.append(
    dropped.files.length ? el("p", { class: "outcome" }, `Choose or make the corpus that ${dropped.files[0].name} is to be added to.`) : "",
    list, el("form", { class: "inline", on: { submit: create } },
      el("div", {}, el("label", { for: "new-corpus" }, "A new corpus"), field), el("button", { type: "submit" }, "Make it")), said);
  const { corpora } = await api("/v1/corpora", { signal });
  list.replaceChildren(corpora.length
    ? table("Corpora", [
      ["Name", (row) => el("a", { href: link(row.name) }, row.name)],
      ["Documents", (row) => count(row.documents), true],
      ["Chunks", (row) => count(row.chunks), true],
      ["Tokens", (row) => count(row.tokens), true],
      ["State", (row) => row.problem ?? "ready"],
    ], corpora)
    : el("p", { class: "about" }, "There is none yet: make one, and upload documents to it."));
}

async function one(root, name, { go, signal }) {
  const heading = root.querySelector("h1");
  heading.replaceChildren(name);
  document.title = `${name} · selfroute`;
  const [sizes, jobs, documents] = [el("div"), el("div"), el("div")];
  const refresh = async () => {
    const held = await api(`/v1/corpora/${encodeURIComponent(name)}`, { signal });
    sizes.replaceChildren(...statistics(held));
    await listDocuments(documents, name, held, refresh, signal);
  };
  const uploads = watch(jobs, name, refresh, signal);
  const remove = async () => {
    if (!(await confirmed(`Delete ${name}?`, "All its documents and what is being added to it go with it. Questions that were asked of it stay on record.", "Delete it"))) return;
    try {
      await api(`/v1/corpora/${encodeURIComponent(name)}`, { method: "DELETE" });
      go("/#corpora");
      say(`${name} is deleted.`);
    } catch (error) {
      root.append(problem(error));
    }
  };
  root.prepend(el("p", { class: "back" }, el("a", { href: "/#corpora" }, "All corpora")));
  root.append(uploadForm(name, uploads), jobs, sizes, documents,
    el("div", { class: "row end" }, el("button", { type: "button", class: "danger", on: { click: remove } }, "Delete this corpus")));
  await Promise.all([refresh(), uploads()]);
}

function statistics({ stats, problem: wrong, embedder }) {
  if (wrong) return [problem({ title: "This corpus cannot be opened", detail: wrong })];
  const facts = [
    ["Documents", count(stats.documents)], ["Chunks", count(stats.chunks)], ["Tokens", count(stats.tokens)],
    ["On disk", bytes(stats.store_bytes + stats.segment_bytes)], ["Generation", count(stats.generation)],
    ["Chunks of at most", `${stats.chunkings.join(", ") || "–"} tokens`], ["Embedder", embedder],
  ];
  if (stats.unpublished) facts.push(["Not shown yet", plural(stats.unpublished, "document")]);
  return [el("h2", {}, "Statistics"), el("dl", { class: "facts" }, facts.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))))];
}

async function listDocuments(place, name, held, refresh, signal) {
  if (held.problem) {
    place.replaceChildren();
    return;
  }
  const rows = [];
  const fetched = async (after) => {
    const page = await api(`${at(name)}?limit=100${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal });
    rows.push(...page.documents);
    draw(page);
  };
  const remove = async (id) => {
    if (!(await confirmed(`Delete ${id}?`, `It is taken out of ${name} at once.`, "Delete it"))) return;
    try {
      await api(at(name, id), { method: "DELETE" });
      say(`${id} is deleted.`);
      await refresh();
    } catch (error) {
      place.prepend(problem(error));
    }
  };
  const draw = ({ total, next }) => {
    place.replaceChildren(el("h2", {}, "Documents"));
    if (!rows.length) {
      place.append(el("p", { class: "about" }, "None yet."));
      return;
    }
    place.append(table(plural(total, "document"), [
      ["Document", (row) => el("button", { type: "button", class: "link", on: { click: () => open({ source: name, id: row.id, mark: null }) } }, row.id)],
      ["Chunks", (row) => count(row.chunks), true],
      ["Tokens", (row) => count(row.tokens), true],
      [el("span", { class: "unseen" }, "Delete"), (row) => el("button", { type: "button", class: "quiet", "aria-label": `Delete ${row.id}`, on: { click: () => remove(row.id) } }, "Delete"), true],
    ], rows));
    if (next !== null) place.append(el("button", { type: "button", class: "quiet more", on: { click: () => fetched(next).catch((error) => place.append(problem(error))) } }, "Show more"));
  };
  await fetched(null);
}

function uploadForm(name, begun) {
  const field = el("input", { type: "file", id: "files", multiple: true });
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Sent so far" });
  const said = el("div", { role: "status" });
  const submit = el("button", { type: "submit" }, "Upload");
  const send = async (event) => {
    event.preventDefault();
    const files = [...field.files];
    if (!files.length) {
      said.replaceChildren("Choose files first.");
      return;
    }
    submit.disabled = true;
    said.replaceChildren(bar, ` Sending ${plural(files.length, "file")}…`);
    try {
      await sendFiles(at(name), files, (part) => { bar.value = part; });
      said.replaceChildren();
      field.value = "";
      await begun();
    } catch (error) {
      said.replaceChildren(problem(error));
    }
    submit.disabled = false;
  };
  const form = el("form", { class: "drop", on: { submit: send } },
    el("label", { for: "files" }, "Add documents"), field,
    el("p", { class: "about" }, "Text, Markdown, PDF, Word, EPUB, HTML, CSV or JSON Lines; files can be dropped here. One of a name that is there already takes its place."),
    el("div", { class: "row" }, submit), said);
  form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    field.files = event.dataTransfer.files;
  });
  if (dropped.files.length) {
    const carried = new DataTransfer();
    dropped.files.forEach((file) => carried.items.add(file));
    field.files = carried.files;
    dropped.files = [];
  }
  return form;
}

/** Sends files and tells how far it is, which `fetch` cannot. */
function sendFiles(path, files, progress) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", path);
    for (const [name, value] of Object.entries(headers())) sending.setRequestHeader(name, value);
    sending.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    sending.addEventListener("load", () => (sending.status < 300 ? resolve() : reject(new Problem(told(sending.responseText, sending.status)))));
    sending.addEventListener("error", () => reject(new Problem({ title: "The upload broke off", detail: "The connection failed: see whether the service runs, and upload again.", status: 0 })));
    sending.send(form);
  });
}

/** Shows the jobs of a corpus, and looks again while one of them runs. */
function watch(place, name, ended, signal) {
  let timer = null;
  let known = null;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return async function look() {
    clearTimeout(timer);
    try {
      const { jobs } = await api(`/v1/jobs?corpus=${encodeURIComponent(name)}&limit=10`, { signal });
      place.replaceChildren(...(jobs.length ? [el("h2", {}, "Uploads"), el("ul", { class: "jobs" }, jobs.map((job) => told_(job, look)))] : []));
      const over = jobs.filter((job) => !runs(job));
      const fresh = known === null ? [] : over.filter((job) => !known.has(job.id));
      known = new Set(over.map((job) => job.id));
      if (fresh.length) {
        say(`An upload ended: ${summary(fresh[0])}`);
        await ended();
      }
      if (over.length < jobs.length && !signal.aborted) timer = setTimeout(look, LOOK);
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(problem(error));
    }
  };
}

const runs = (job) => job.state === "queued" || job.state === "running";

function summary({ state, result, error, note, progress }) {
  if (state === "queued") return note ?? "waits its turn";
  if (state === "running") return note ?? (progress.total ? `${progress.unit === "bytes" ? `${bytes(progress.done)} of ${bytes(progress.total)}` : `${count(progress.done)} of ${count(progress.total)}`} read` : "begins");
  if (state === "cancelled") return "cancelled; what was stored till then stays";
  if (error) return `failed: ${error.detail}`;
  const parts = [["added", result.added], ["updated", result.updated], ["unchanged", result.unchanged], ["failed", result.failed.length]];
  return parts.filter(([, number]) => number).map(([what, number]) => `${count(number)} ${what}`).join(", ") || "nothing to add";
}

function told_(job, again) {
  const cancel = () => api(`/v1/jobs/${job.id}`, { method: "DELETE" }).then(again, again);
  const failed = job.result?.failed ?? [];
  return el("li", { class: job.state },
    el("div", { class: "row" },
      el("span", {}, `${moment(job.created)}: ${summary(job)}`),
      runs(job) && el("progress", { max: job.progress.total || 1, value: job.progress.total ? job.progress.done : null, "aria-label": "How far it is" }),
      runs(job) && el("button", { type: "button", class: "quiet", on: { click: cancel } }, "Cancel")),
    failed.length ? el("ul", { class: "failed" }, failed.map(({ source, reason }) => el("li", {}, `${source.replace(/^upload:/, "")}: ${reason}`))) : null);
}
