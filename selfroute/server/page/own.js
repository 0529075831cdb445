// A text of one's own in place of a corpus: written, pasted, or from a file. It is sent with the question and not kept.

import { button, el } from "./dom.js";
import { plural } from "./words.js";

/** What was last written into the form: it is there again when one comes back. */
export const draft = { question: "", corpus: null, policy: "self_route", text: "", name: "" };
/** For `uploads`: files that were dropped here and must be uploaded there. */
export const dropped = { files: [] };

/** Where a text is written or a file dropped in place of a corpus. */
export function ownText(go) {
  const area = el("textarea", { id: "own-text", rows: 5, placeholder: "Write or paste a text, or drop a file here." });
  area.value = draft.text;
  const file = el("input", { type: "file", id: "own-file" });
  const said = el("p", { class: "about", role: "status" }, draft.name);
  const place = el(
    "fieldset",
    { class: "own" },
    el("legend", {}, "A text of mine"),
    el("label", { for: "own-text" }, "Text"),
    area,
    el("label", { for: "own-file" }, "or a text file"),
    file,
    said,
  );
  area.addEventListener("input", () => {
    draft.text = area.value;
    draft.name = "";
    said.textContent = "";
  });

  const take = async (taken) => {
    const text = await asText(taken);
    if (text === null) {
      const upload = button("Upload it to a corpus", () => {
        dropped.files = [taken];
        go("/#corpora");
      });
      said.replaceChildren(
        `${taken.name} is not plain text, so it cannot be asked as it is: upload it to a corpus, and ask that. `,
        upload,
      );
      return;
    }
    area.value = draft.text = text;
    const size = plural(Array.from(text).length, "character");
    draft.name = `${taken.name}, ${size}. It is sent with the question and not kept.`;
    said.textContent = draft.name;
  };
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  place.takes = (target, chosen) => {
    target.addEventListener("dragover", (event) => {
      event.preventDefault();
      target.classList.add("over");
    });
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
  if (/\.(pdf|docx|xls[xm]|pptx|od[tsp]|rtf|epub|x?html?|mht(ml)?|eml|ipynb)$/i.test(file.name)) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.includes("\u0000") ? null : text;
  } catch {
    return null;
  }
}
