// Elements from values. Text is only ever text: nothing on this page reads markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `on` are its listeners by event, other attributes are set as they are, and left out if false or null. */
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** A button that does something; `kind` is how it looks. */
export function button(title, click, kind = "", attributes = {}) {
  return el("button", { type: "button", class: kind || null, on: { click }, ...attributes }, title);
}

/** As `el`, for pictures. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Says something to those who do not see the page change. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = text;
  });
}

/** A table: `columns` are [title, how a row's cell is made, whether it holds figures]. */
export function table(caption, columns, rows, foot = []) {
  const cell = ([, of, figures], row, index) => {
    const value = of(row);
    const attributes = { class: figures ? "figure" : null, ...(index ? {} : { scope: "row" }) };
    return el(index ? "td" : "th", attributes, value);
  };
  const line = (row) =>
    el(
      "tr",
      {},
      columns.map((column, index) => cell(column, row, index)),
    );
  const head = columns.map(([title, , figures]) => el("th", { scope: "col", class: figures ? "figure" : null }, title));
  const made = el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, head)),
    el("tbody", {}, rows.map(line)),
  );
  if (foot.length) made.append(el("tfoot", {}, foot.map(line)));
  return el("div", { class: "wide", role: "region", "aria-label": caption, tabindex: "0" }, made);
}

/** A dialog with a title, open; Escape and its button close it, and focus goes back where it was. */
export function dialog(title, ...children) {
  const close = button("Close", () => made.close(), "quiet");
  const head = el("h2", { id: "dialog-title" }, title);
  const made = el(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    el("div", { class: "dialog-head" }, head, close),
    ...children,
  );
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

/** Asks before something is done that cannot be taken back; resolves to whether to do it. */
export function confirmed(title, text, verb) {
  return new Promise((resolve) => {
    let yes = false;
    const asked = dialog(
      title,
      el("p", {}, text),
      el(
        "div",
        { class: "row" },
        button(
          verb,
          () => {
            yes = true;
            asked.close();
          },
          "danger",
        ),
        button("Keep it", () => asked.close(), "quiet", { autofocus: true }),
      ),
    );
    asked.classList.add("small");
    asked.querySelector(".dialog-head button").remove();
    asked.querySelector("[autofocus]").focus();
    asked.addEventListener("close", () => resolve(yes));
  });
}

/** What went wrong, where it can be seen and is read out. */
export function problem(error) {
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("strong", {}, error.title ?? "This page failed"),
    el("p", {}, error.detail ?? String(error.message ?? error)),
  );
}
