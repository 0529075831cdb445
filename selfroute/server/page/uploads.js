// Uploads: files on their way, and the jobs that make documents of them.

import { Problem, api, at, headers, told } from "./api.js";
import { button, el, problem, say } from "./dom.js";
import { dropped } from "./own.js";
import { bytes, count, moment, plural } from "./words.js";

const LOOK = 700;
/** Milliseconds between looks at jobs that run. */

/** Where files are chosen or dropped; `begun` is called when they have arrived. */
export function uploadForm(name, begun) {
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
      await sendFiles(at(name), files, (part) => {
        bar.value = part;
      });
      said.replaceChildren();
      field.value = "";
      await begun();
    } catch (error) {
      said.replaceChildren(problem(error));
    }
    submit.disabled = false;
  };
  const form = el(
    "form",
    { class: "drop", on: { submit: send } },
    el("label", { for: "files" }, "Add documents"),
    field,
    el(
      "p",
      { class: "about" },
      "Text, Markdown, PDF, Word, Excel, PowerPoint, OpenDocument, RTF, EPUB, HTML, mail, notebooks, CSV or JSON " +
        "Lines; files can be dropped here. " +
        "One of a name that is there already takes its place.",
    ),
    el("div", { class: "row" }, submit),
    said,
  );
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
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
    sending.upload.addEventListener(
      "progress",
      (event) => event.lengthComputable && progress(event.loaded / event.total),
    );
    sending.addEventListener("load", () =>
      sending.status < 300 ? resolve() : reject(new Problem(told(sending.responseText, sending.status))),
    );
    sending.addEventListener("error", () =>
      reject(
        new Problem({
          title: "The upload broke off",
          detail: "The connection failed: see whether the service runs, and upload again.",
          status: 0,
        }),
      ),
    );
    sending.send(form);
  });
}

/** Shows the jobs of a corpus when it is called, and looks again while one of them runs; `ended` is called when one
 * has. */
export function watch(place, name, ended, signal) {
  let timer = null;
  let known = null;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return async function look() {
    clearTimeout(timer);
    try {
      const { jobs } = await api(`/v1/jobs?corpus=${encodeURIComponent(name)}&limit=10`, { signal });
      place.replaceChildren(
        ...(jobs.length
          ? [
              el("h2", {}, "Uploads"),
              el(
                "ul",
                { class: "jobs" },
                jobs.map((job) => item(job, look)),
              ),
            ]
          : []),
      );
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

function far({ done, total, unit }) {
  const shown = unit === "bytes" ? bytes : count;
  return `${shown(done)} of ${shown(total)} read`;
}

function summary({ state, result, error, note, progress }) {
  if (state === "queued") return note ?? "waits its turn";
  if (state === "running") return note ?? (progress.total ? far(progress) : "begins");
  if (state === "cancelled") return "cancelled; what was stored till then stays";
  if (error) return `failed: ${error.detail}`;
  const parts = [
    ["added", result.added],
    ["updated", result.updated],
    ["unchanged", result.unchanged],
    ["failed", result.failed.length],
    ["not read whole", new Set((result.warnings ?? []).map((one) => one.document)).size],
  ];
  return (
    parts
      .filter(([, number]) => number)
      .map(([what, number]) => `${count(number)} ${what}`)
      .join(", ") || "nothing to add"
  );
}

function item(job, again) {
  const cancel = () => api(`/v1/jobs/${job.id}`, { method: "DELETE" }).then(again, again);
  const failed = job.result?.failed ?? [];
  const warnings = job.result?.warnings ?? [];
  return el(
    "li",
    { class: job.state },
    el(
      "div",
      { class: "row" },
      el("span", {}, `${moment(job.created)}: ${summary(job)}`),
      runs(job) &&
        el("progress", {
          max: job.progress.total || 1,
          value: job.progress.total ? job.progress.done : null,
          "aria-label": "How far it is",
        }),
      runs(job) && button("Cancel", cancel, "quiet"),
    ),
    failed.length
      ? el(
          "ul",
          { class: "failed" },
          failed.map(({ source, reason }) => el("li", {}, `${source.replace(/^upload:/, "")}: ${reason}`)),
        )
      : null,
    warnings.length
      ? el(
          "ul",
          { class: "warnings", "aria-label": "Warnings" },
          warnings.map(({ document, warning }) => el("li", {}, `${document}: ${warning}`)),
        )
      : null,
  );
}
