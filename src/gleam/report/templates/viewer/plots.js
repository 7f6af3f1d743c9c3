// Plots, by Observable Plot: SVG whose points lead to what they stand for.

import { frames, goTo, goToFrame, onChange, open, page, scan, sources, state } from "./state.js";

const HEIGHT = 280;
const figures = (kind) => document.querySelectorAll(`[data-plot="${kind}"]`);
const metrics = page.metrics;

const base = (figure, more) => ({
  width: Math.max(280, figure.clientWidth),
  height: HEIGHT,
  marginLeft: 56,
  marginRight: 16,
  style: { background: "transparent", fontSize: "12px", fontFamily: "inherit" },
  ...more,
});

function fill(figure, plot) {
  figure.querySelector("svg")?.remove();
  plot.setAttribute("aria-hidden", "true");
  figure.prepend(plot);
  return plot;
}

/** Curves of `gleam.report.plots.line_plot`. */
function drawCurves(figure) {
  const { xlabel, ylabel, logarithmic, curves } = page.plots[figure.dataset.name];
  const shade = (k) => d3.interpolateViridis(0.1 + (0.75 * k) / Math.max(1, curves.length - 1));
  const colour = (one, k) => one.colour ?? shade(k);
  const all = curves.flatMap(({ points }) => points.map(([, y]) => y)).filter((y) => y !== null);
  const low = d3.min(all.filter((y) => y > 0));
  const marks = curves.flatMap((one, k) => {
    const points = one.points.filter(([, y]) => y !== null && (!logarithmic || y > 0));
    if (points.length === 1) {
      return [Plot.ruleY([points[0][1]], { stroke: colour(one, k), strokeDasharray: "5 4" })];
    }
    return [
      Plot.line(points, { x: "0", y: "1", stroke: colour(one, k), strokeWidth: 1.8 }),
      ...(points.length <= 40 ? [Plot.dot(points, { x: "0", y: "1", r: 2, fill: colour(one, k) })] : []),
    ];
  });
  const named = curves.flatMap((one) => one.points.map(([x, y]) => ({ name: one.name, x, y })));
  const known = named.filter(({ y }) => y !== null && (!logarithmic || y > 0));
  const tip = { x: "x", y: "y", title: (d) => `${d.name}\n${xlabel} ${round(d.x)}: ${round(d.y)}` };
  fill(
    figure,
    Plot.plot(
      base(figure, {
        x: { label: xlabel, tickFormat: whole },
        y: {
          label: ylabel,
          grid: true,
          type: logarithmic && d3.max(all) > 4 * low ? "log" : "linear",
          tickFormat: logarithmic ? "~g" : undefined,
        },
        marks: [...marks, Plot.tip(known, Plot.pointer(tip))],
      }),
    ),
  );
}

/** Ticks between steps, iterations or frames have no name. */
const whole = (value) => (Number.isInteger(value) ? d3.format("~s")(value) : "");

const round = (value) => Number(value.toPrecision(4));

/** Scores of every slice, or frame, of the scan that is shown; a click leads there. */
function drawSlices(figure) {
  const chosen = (name) => figure.closest("section").querySelector(`[name="${name}"]`);
  chosen("over").parentElement.hidden = frames() === 1;
  const byFrame = frames() > 1 && chosen("over").value === "frame";
  chosen("metric").parentElement.hidden = byFrame;
  const metric = byFrame ? "psnr_complex" : chosen("metric").value;
  const rows = [];
  for (const one of sources()) {
    const values = byFrame
      ? scan().frameScores[one.name]?.[scan().volume ? 0 : state.at[0]]
      : scan().scores[one.name]?.[metric];
    for (const [k, value] of (values ?? []).entries()) {
      if (value !== null) rows.push({ name: one.name, colour: one.colour, k, value });
    }
  }
  const now = byFrame ? state.frame : state.at[0];
  const number = (k) => (byFrame ? k : scan().numbers[k]);
  const { label, unit, digits } = metrics[metric];
  const title = (d) => `${d.name}\n${byFrame ? "frame" : "slice"} ${number(d.k)}: ${d.value.toFixed(digits)}`;
  const point = { x: (d) => number(d.k), y: "value" };
  const plot = fill(
    figure,
    Plot.plot(
      base(figure, {
        x: { label: byFrame ? "frame" : "slice", ticks: 8, tickFormat: whole },
        y: { label: label + (unit && ` (${unit})`), grid: true, nice: true },
        marks: [
          Plot.ruleX([number(now)], { stroke: "currentColor", strokeOpacity: 0.35, strokeWidth: 6 }),
          Plot.line(rows, { ...point, z: "name", stroke: "colour", strokeWidth: 1.8 }),
          Plot.dot(rows, { ...point, r: 3.5, fill: "colour" }),
          Plot.tip(rows, Plot.pointer({ ...point, title })),
        ],
      }),
    ),
  );
  plot.style.cursor = "pointer";
  plot.addEventListener("click", () => {
    if (!plot.value) return;
    if (byFrame) goToFrame(plot.value.k);
    else goTo(0, plot.value.k);
  });
}

/** Scores of every scan with mean and interval, a row for each method; a click opens the scan. */
function drawScans(figure) {
  const { means, scores } = page.tests[figure.dataset.test];
  const metric = figure.closest("section").querySelector('[name="metric-of-scans"]').value;
  const { label, unit, digits } = metrics[metric];
  const names = Object.keys(means);
  const rows = scores.filter((one) => one[metric] !== null);
  const spans = names.map((name) => ({ name, span: means[name][metric] })).filter((d) => d.span[0] !== null);
  const x = (d) => d[metric];
  const colour = (name) => page.colours[name] ?? "currentColor";
  const title = (d) => `${d.scan}\n${d.method}: ${d[metric].toFixed(digits)}`;
  const longest = Math.max(...names.map((name) => name.length));
  const narrow = figure.clientWidth < 560;
  const plot = fill(
    figure,
    Plot.plot(
      base(figure, {
        height: 54 + 40 * names.length,
        marginLeft: narrow ? 12 : Math.min(220, 24 + 7 * longest),
        x: { label: label + (unit && ` (${unit})`), grid: true, nice: true },
        y: { label: null, domain: names, axis: narrow ? null : "left", tickSize: 0 },
        marks: [
          Plot.dot(rows, {
            x,
            y: "method",
            r: 4,
            fill: (d) => colour(d.method),
            fillOpacity: 0.45,
          }),
          Plot.link(spans.filter((d) => d.span[1] !== null), {
            x1: (d) => d.span[1],
            x2: (d) => d.span[2],
            y: "name",
            stroke: (d) => colour(d.name),
            strokeWidth: 3,
            dy: 12,
          }),
          Plot.tickX(spans, {
            x: (d) => d.span[0],
            y: "name",
            stroke: "currentColor",
            strokeWidth: 2,
            insetTop: 4,
            insetBottom: 4,
          }),
          ...(narrow
            ? [Plot.text(names, { y: (d) => d, frameAnchor: "left", text: (d) => d, dy: -14, fill: "currentColor" })]
            : []),
          Plot.tip(rows, Plot.pointer({ x, y: "method", title })),
        ],
      }),
    ),
  );
  plot.style.cursor = "pointer";
  plot.addEventListener("click", () => {
    const number = page.scans.findIndex((one) => one.name === plot.value?.scan);
    if (number < 0) return;
    open(number);
    document.getElementById("viewer").scrollIntoView();
  });
}

function drawAll() {
  for (const figure of figures("curves")) drawCurves(figure);
  for (const figure of figures("scans")) drawScans(figure);
  for (const figure of figures("slices")) drawSlices(figure);
}

/** Wait for the page's plots, which come after the first picture. */
function begin() {
  drawAll();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) drawAll();
    width = innerWidth;
  });
  document.addEventListener("input", (event) => {
    if (["metric", "over"].includes(event.target.name)) figures("slices").forEach(drawSlices);
    if (event.target.name === "metric-of-scans") figures("scans").forEach(drawScans);
  });
  onChange((changed) => {
    if (["scan", "at", "frame"].some((name) => changed.has(name))) figures("slices").forEach(drawSlices);
  });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
