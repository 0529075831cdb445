// Corpora: what there is, what is in it, and what is being added to it.

import { api, at } from "./api.js";
import { button, confirmed, el, problem, say, table } from "./dom.js";
import { open } from "./document.js";
import { dropped } from "./own.js";
import { uploadForm, watch } from "./uploads.js";
import { bytes, count, plural } from "./words.js";

export const title = "Corpora";

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
    dropped.files.length
      ? el("p", { class: "outcome" }, `Choose or make the corpus that ${dropped.files[0].name} is to be added to.`)
      : "",
    list,
    el(
      "form",
      { class: "inline", on: { submit: create } },
      el("div", {}, el("label", { for: "new-corpus" }, "A new corpus"), field),
      el("button", { type: "submit" }, "Make it"),
    ),
    said,
  );
  const { corpora } = await api("/v1/corpora", { signal });
  list.replaceChildren(
    corpora.length
      ? table(
          "Corpora",
          [
            ["Name", (row) => el("a", { href: link(row.name) }, row.name)],
            ["Documents", (row) => count(row.documents), true],
            ["Chunks", (row) => count(row.chunks), true],
            ["Tokens", (row) => count(row.tokens), true],
            ["State", (row) => row.problem ?? "ready"],
          ],
          corpora,
        )
      : el("p", { class: "about" }, "There is none yet: make one, and upload documents to it."),
  );
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
    if (
      !(await confirmed(
        `Delete ${name}?`,
        "All its documents and what is being added to it go with it. Questions that were asked of it stay on record.",
        "Delete it",
      ))
    )
      return;
    try {
      await api(`/v1/corpora/${encodeURIComponent(name)}`, { method: "DELETE" });
      go("/#corpora");
      say(`${name} is deleted.`);
    } catch (error) {
      root.append(problem(error));
    }
  };
  root.prepend(el("p", { class: "back" }, el("a", { href: "/#corpora" }, "All corpora")));
  root.append(
    uploadForm(name, uploads),
    jobs,
    sizes,
    documents,
    el("div", { class: "row end" }, button("Delete this corpus", remove, "danger")),
  );
  await Promise.all([refresh(), uploads()]);
}

function statistics({ stats, problem: wrong, embedder }) {
  if (wrong) return [problem({ title: "This corpus cannot be opened", detail: wrong })];
  const facts = [
    ["Documents", count(stats.documents)],
    ["Chunks", count(stats.chunks)],
    ["Tokens", count(stats.tokens)],
    ["On disk", bytes(stats.store_bytes + stats.segment_bytes)],
    ["Generation", count(stats.generation)],
    ["Chunks of at most", stats.chunkings.join(", ") || "–"],
    ["Embedder", embedder],
  ];
  if (stats.unpublished) facts.push(["Not shown yet", plural(stats.unpublished, "document")]);
  return [
    el("h2", {}, "Statistics"),
    el(
      "dl",
      { class: "facts" },
      facts.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))),
    ),
  ];
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
    place.append(
      table(
        plural(total, "document"),
        [
          [
            "Document",
            (row) => [
              button(row.id, () => open({ source: name, id: row.id, mark: null }), "link"),
              row.warnings.length
                ? el(
                    "ul",
                    { class: "warnings", "aria-label": `Warnings about ${row.id}` },
                    row.warnings.map((warning) => el("li", {}, warning)),
                  )
                : null,
            ],
          ],
          ["Chunks", (row) => count(row.chunks), true],
          ["Tokens", (row) => count(row.tokens), true],
          [
            el("span", { class: "unseen" }, "Delete"),
            (row) => button("Delete", () => remove(row.id), "quiet", { "aria-label": `Delete ${row.id}` }),
            true,
          ],
        ],
        rows,
      ),
    );
    if (next !== null)
      place.append(
        button("Show more", () => fetched(next).catch((error) => place.append(problem(error))), "quiet more"),
      );
  };
  await fetched(null);
}
