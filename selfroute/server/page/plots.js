// Bars, drawn by D3 from the package that the service is installed with; it is loaded when it is first wanted.
//
// Colours and type are the style sheet's, so that plots follow the light or dark of the page.

import { el } from "./dom.js";
import { count } from "./words.js";

let loading = null;

/** Loads D3; resolves to whether it is there. */
export function ready() {
  loading ??= new Promise((resolve) => {
    const script = el("script", { src: "/page/d3.js", on: { load: () => resolve(true), error: () => resolve(false) } });
    document.head.append(script);
  });
  return loading;
}

/** Groups of bars: `rows` are {label, values}, `series` are {kind, name}, each a value's in order. Upright ones stand
 * on a line of days, others lie below each other. Fits the width of its place, whichever it is. */
export function bars(rows, series, { upright, title }) {
  const place = el("div", { class: "plot" });
  const drawing = el("div");
  let width = 0;
  place.append(
    el(
      "p",
      { class: "legend", "aria-hidden": "true" },
      series.map(({ kind, name }) => el("span", {}, el("span", { class: `swatch ${kind}` }), name)),
    ),
    drawing,
  );
  new ResizeObserver(([{ contentRect }]) => {
    const now = Math.round(contentRect.width);
    if (!now || now === width) return;
    width = now;
    drawing.replaceChildren((upright ? standing : lying)(globalThis.d3, rows, series, width, title));
  }).observe(place);
  return place;
}

const short = (d3) => (value) => (Math.abs(value) < 1000 ? count(value) : d3.format(".3~s")(value).replace("G", "B"));

function canvas(d3, width, height, title) {
  return d3
    .create("svg")
    .attr("width", width)
    .attr("height", height)
    .attr("viewBox", `0 0 ${width} ${height}`)
    .attr("role", "img")
    .attr("aria-label", `${title}; the table below holds the figures`);
}

function standing(d3, rows, series, width, title) {
  const [height, left, bottom, top] = [220, 48, 24, 8];
  const picture = canvas(d3, width, height, title);
  const x = d3
    .scaleBand()
    .domain(rows.map((row) => row.label))
    .range([left, width - 4])
    .paddingInner(0.25)
    .paddingOuter(rows.length < 4 ? 1.5 : 0.2);
  const y = d3
    .scaleLinear()
    .domain([0, d3.max(rows, (row) => d3.max(row.values)) || 1])
    .range([height - bottom, top])
    .nice(4);
  const inner = d3
    .scaleBand()
    .domain(d3.range(series.length))
    .range([0, Math.min(x.bandwidth(), 90)])
    .padding(0.06);
  const shift = (x.bandwidth() - inner.range()[1]) / 2;
  const every = Math.max(1, Math.ceil((rows.length * 76) / (width - left)));
  const days = rows.map((row) => row.label).filter((_, index) => index % every === 0);
  picture
    .append("g")
    .attr("class", "axis grid")
    .attr("transform", `translate(${left},0)`)
    .call(
      d3
        .axisLeft(y)
        .ticks(4)
        .tickFormat(short(d3))
        .tickSize(-(width - left)),
    );
  picture
    .append("g")
    .attr("class", "axis")
    .attr("transform", `translate(0,${height - bottom})`)
    .call(d3.axisBottom(x).tickValues(days).tickSize(0).tickPadding(8));
  series.forEach(({ kind }, index) => {
    picture
      .append("g")
      .selectAll("rect")
      .data(rows)
      .enter()
      .append("rect")
      .attr("class", `bar ${kind}`)
      .attr("x", (row) => x(row.label) + shift + inner(index))
      .attr("width", inner.bandwidth())
      .attr("y", (row) => y(row.values[index]))
      .attr("height", (row) => y(0) - y(row.values[index]))
      .append("title")
      .text((row) => `${row.label}, ${series[index].name}: ${count(row.values[index])}`);
  });
  return picture.node();
}

function lying(d3, rows, series, width, title) {
  const [line, gap, right] = [14, 32, 64];
  const each = series.length * line + gap;
  const picture = canvas(d3, width, rows.length * each, title);
  const x = d3
    .scaleLinear()
    .domain([0, d3.max(rows, (row) => d3.max(row.values)) || 1])
    .range([0, width - right]);
  const group = picture
    .selectAll("g")
    .data(rows)
    .enter()
    .append("g")
    .attr("transform", (_, index) => `translate(0,${index * each})`);
  group
    .append("text")
    .attr("class", "label")
    .attr("y", 16)
    .text((row) => row.label);
  series.forEach(({ kind }, index) => {
    const y = 22 + index * line;
    group
      .append("rect")
      .attr("class", `bar ${kind}`)
      .attr("y", y)
      .attr("height", line - 3)
      .attr("width", (row) => Math.max(1, x(row.values[index])));
    group
      .append("text")
      .attr("class", "value")
      .attr("x", (row) => Math.max(1, x(row.values[index])) + 6)
      .attr("y", y + line - 4)
      .text((row) => short(d3)(row.values[index]));
  });
  return picture.node();
}
