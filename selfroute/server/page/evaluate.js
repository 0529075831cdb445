// Evaluations: what was run, and its report, opened in place.

import { api, text } from "./api.js";
import { el, problem, say, table } from "./dom.js";
import { count, moment } from "./words.js";

export const title = "Evaluate";

const LOOK = 2000;
/** Milliseconds between looks at evaluations that run. */

export async function show(root, id, shared) {
  try {
    await (id ? report(root, id, shared.signal) : list(root, shared.signal));
  } catch (error) {
    if (error.name !== "AbortError") root.append(problem(error));
  }
}

async function list(root, signal) {
  const place = el("div", {}, el("p", { class: "about" }, "Loading…"));
  root.append(
    place,
    el(
      "p",
      { class: "about" },
      "An evaluation asks questions with known answers by several policies, and scores what comes of it. " +
        "Begin one with POST /v1/evaluations.",
    ),
  );
  const look = async () => {
    const { evaluations } = await api("/v1/evaluations?limit=100", { signal });
    place.replaceChildren(
      evaluations.length
        ? table(
            "Evaluations, the newest first",
            [
              ["Begun", (job) => moment(job.created)],
              ["State", (job) => el("span", {}, state(job))],
              ["Rows", (job) => (job.result ? count(job.result.rows) : ""), true],
              ["Failed", (job) => (job.result ? count(job.result.failed) : ""), true],
              [
                "Report",
                (job) =>
                  job.state === "done" && job.result.rows
                    ? el(
                        "a",
                        { href: `/#evaluate/${job.id}`, "aria-label": `Open the report of ${moment(job.created)}` },
                        "Open",
                      )
                    : "",
              ],
            ],
            evaluations,
          )
        : el("p", { class: "about" }, "There is none yet."),
    );
    const runs = evaluations.some((job) => job.state === "queued" || job.state === "running");
    if (runs && !signal.aborted)
      setTimeout(
        () =>
          !signal.aborted &&
          look().catch(() => {
            /* the next visit tells */
          }),
        LOOK,
      );
  };
  await look();
}

function state({ state: now, progress, error, note }) {
  if (error) return `failed: ${error.detail}`;
  if (now === "running" && progress.total)
    return `${count(progress.done)} of ${count(progress.total)} ${progress.unit}`;
  return note ?? now;
}

/** The report in a frame of its own: it holds words of models and documents, and may show them and do nothing. */
async function report(root, id, signal) {
  root.prepend(el("p", { class: "back" }, el("a", { href: "/#evaluate" }, "All evaluations")));
  const path = `/v1/evaluations/${encodeURIComponent(id)}`;
  const { job } = await api(path, { signal });
  const html = await text(`${path}/report.html`, { signal });
  root.append(
    el(
      "p",
      { class: "about" },
      `Begun ${moment(job.created)}: ${count(job.result.rows)} rows, ${count(job.result.failed)} failed.`,
    ),
  );
  const frame = el("iframe", {
    src: "/page/frame.html",
    sandbox: "allow-scripts",
    title: "Report of the evaluation",
    class: "report",
  });
  addEventListener(
    "message",
    (event) => {
      if (event.source !== frame.contentWindow || event.data !== "ready") return;
      frame.contentWindow.postMessage(html, "*");
      say("The report is open.");
    },
    { signal },
  );
  root.append(frame);
}
