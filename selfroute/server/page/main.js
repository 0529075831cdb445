// The page's frame: which section is shown, the API key, and what every section shares.

import { hasKey, setKey } from "./api.js";
import * as ask from "./ask.js";
import * as corpora from "./corpora.js";
import { button, dialog, el } from "./dom.js";
import * as evaluate from "./evaluate.js";
import * as usage from "./usage.js";

const VIEWS = { ask, corpora, usage, evaluate };
const view = document.getElementById("view");
const key = document.getElementById("key");
let leaving = null;

/** (section, what of it): /q/ID is a question, #corpora/NAME a corpus. */
function wanted() {
  const question = location.pathname.match(/^\/q\/([^/]+)$/);
  if (question && !location.hash) return ["ask", decoded(question[1])];
  const [name, ...rest] = location.hash.slice(1).split("/");
  return name in VIEWS ? [name, decoded(rest.join("/"))] : ["ask", ""];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function show(focus = true) {
  const [name, detail] = wanted();
  leaving?.abort();
  leaving = new AbortController();
  const section = VIEWS[name];
  const heading = el("h1", { tabindex: "-1" }, section.title);
  const root = el("div", { class: `section ${name}` }, heading);
  view.replaceChildren(root);
  document.title = `${section.title} · selfroute`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  section.show(root, detail, { go, signal: leaving.signal });
  if (focus) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function go(href) {
  history.pushState(null, "", href);
  show();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.classList.contains("skip")) {
    event.preventDefault();
    view.focus();
  } else if (link.origin === location.origin && (link.pathname === "/" || link.pathname.startsWith("/q/"))) {
    event.preventDefault();
    go(link.href);
  }
});
// A file that is dropped beside its place would be opened by the browser, and the page be gone.
for (const event of ["dragover", "drop"]) document.addEventListener(event, (dragged) => dragged.preventDefault());
addEventListener("popstate", () => show());

function askForKey(reason) {
  if (document.querySelector("dialog.key")) return;
  const field = el("input", { id: "key-field", type: "password", autocomplete: "off", spellcheck: "false" });
  const save = (event) => {
    event.preventDefault();
    setKey(field.value);
    asked.close();
    named();
    show();
  };
  const asked = dialog(
    "API key",
    el("p", {}, reason, "It is kept for this tab only, and is sent in a header, never in an address."),
    el(
      "form",
      { on: { submit: save } },
      el("label", { for: "key-field" }, "Key"),
      field,
      el(
        "div",
        { class: "row" },
        el("button", { type: "submit" }, "Use it"),
        hasKey() &&
          button(
            "Forget it",
            () => {
              setKey("");
              asked.close();
              named();
              show();
            },
            "quiet",
          ),
      ),
    ),
  );
  asked.classList.add("small", "key");
  field.focus();
}

function named() {
  key.textContent = hasKey() ? "API key: set" : "API key";
}

key.addEventListener("click", () => askForKey(""));
document.addEventListener("key-wanted", () =>
  askForKey(hasKey() ? "The service does not take this key. " : "This service wants an API key. "),
);
named();
show(false);
