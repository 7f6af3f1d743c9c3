// Files that the page gives: figures as PNG and SVG, tables as CSV and LaTeX.

import { frames, scan, sources, state } from "./state.js";
import { shape, shown } from "./frames.js";

const XHTML = "http://www.w3.org/2000/svg";
const FONT = "font-family='Helvetica, Arial, sans-serif'";

function give(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const escaped = (text) =>
  text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** What the stage shows, as SVG: its pictures as they are, cut as they are zoomed. */
function stageAsSvg() {
  const stage = document.getElementById("stage");
  const whole = stage.getBoundingClientRect();
  const parts = [];
  for (const one of shown) {
    for (const { canvas, clip } of one.layers) {
      if (clip.style.visibility === "hidden") continue;
      const box = one.outer.getBoundingClientRect();
      const full = canvas.getBoundingClientRect();
      const left = clip.style.clipPath ? box.left + box.width * state.split : box.left;
      const id = `c${parts.length}`;
      const at = { x: left - whole.left, y: box.top - whole.top };
      parts.push(
        `<clipPath id="${id}"><rect x="${at.x}" y="${at.y}" width="${box.right - left}" height="${box.height}"/></clipPath>`,
        `<image clip-path="url(#${id})" href="${canvas.toDataURL()}" x="${full.left - whole.left}" ` +
          `y="${full.top - whole.top}" width="${full.width}" height="${full.height}" ` +
          `preserveAspectRatio="none" style="image-rendering:pixelated"/>`,
      );
    }
  }
  for (const line of stage.querySelectorAll(".name")) {
    const box = line.getBoundingClientRect();
    const [name, score] = [line.childNodes[1].textContent, line.querySelector(".score").textContent];
    const x = box.left - whole.left;
    parts.push(
      `<text x="${x}" y="${box.top - whole.top + 14}" ${FONT} font-size="13">` +
        `<tspan font-weight="600">${escaped(name)}</tspan>` +
        `<tspan x="${x}" dy="16" fill="#555" font-size="12">${escaped(score)}</tspan></text>`,
    );
  }
  return (
    `<svg xmlns="${XHTML}" width="${whole.width}" height="${whole.height}" ` +
    `viewBox="0 0 ${whole.width} ${whole.height}"><rect width="100%" height="100%" fill="#fff"/>` +
    `${parts.join("")}</svg>`
  );
}

/** A plot with what the page's style gives it. */
function plotAsSvg(figure) {
  const copy = figure.querySelector("svg").cloneNode(true);
  const { width, height } = figure.querySelector("svg").getBoundingClientRect();
  copy.setAttribute("xmlns", XHTML);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.style.color = "#222";
  copy.style.fontFamily = "Helvetica, Arial, sans-serif";
  const ground = document.createElementNS(XHTML, "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", "#fff");
  copy.querySelectorAll('[aria-label="tip"]').forEach((tip) => tip.remove());
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

async function asPng(svg) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * picture.width;
  canvas.height = 2 * picture.height;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const plain = (text) => text.replace(/[^\p{L}\p{N}-]+/gu, "-").replace(/^-|-$/g, "");

function stageName() {
  const slice = scan().volume ? state.at.join("-") : scan().numbers[state.at[0]];
  return plain(`${scan().name}-${slice}${frames() > 1 ? `-frame-${state.frame}` : ""}`);
}

const cells = (table) =>
  [...table.rows].map((row) =>
    [...row.cells].map((cell) => {
      const copy = cell.cloneNode(true);
      const small = [...copy.querySelectorAll("small")].map((one) => {
        one.remove();
        return one.textContent.trim();
      });
      return { text: copy.textContent.trim().replace(/\s+/g, " "), small: small.join(" ") };
    }),
  );

function asCsv(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const [head, ...body] = cells(table);
  const spread = head.map((_, column) => body.some((row) => row[column].small));
  const line = (row, mark) =>
    row.flatMap(({ text, small }, column) =>
      spread[column] ? [text, mark ? `${text} ${mark}` : small] : [text],
    );
  const rows = [line(head, "(note)"), ...body.map((row) => line(row))];
  return rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

const TEX = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "×": "$\\times$",
  "−": "$-$",
  "–": "--",
  "±": "$\\pm$",
  "\u202f": "\\,",
};

function asLatex(table) {
  const safe = (text) =>
    text.replace(/[&%#_{}$]/g, "\\$&").replace(/[~^×−–±\u202f]|\\(?![&%#_{}$])/g, (letter) => TEX[letter]);
  const [head, ...body] = cells(table);
  const line = (row) =>
    row.map(({ text, small }) => safe(text) + (small ? ` {\\small (${safe(small)})}` : "")).join(" & ") + " \\\\";
  return [
    `\\begin{tabular}{l${"r".repeat(head.length - 1)}}`,
    "\\toprule",
    line(head.map(({ text }) => ({ text, small: "" }))),
    "\\midrule",
    ...body.map(line),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

const SAVE = {
  "stage-svg": () => give(`${stageName()}.svg`, "image/svg+xml", stageAsSvg()),
  "stage-png": async () => give(`${stageName()}.png`, "image/png", await asPng(stageAsSvg())),
  "plot-svg": ({ figure, name }) => give(`${name}.svg`, "image/svg+xml", plotAsSvg(figure)),
  "plot-png": async ({ figure, name }) => give(`${name}.png`, "image/png", await asPng(plotAsSvg(figure))),
  csv: ({ table, name }) => give(`${name}.csv`, "text/csv", asCsv(table)),
  latex: ({ table, name }) => give(`${name}.tex`, "text/x-tex", asLatex(table)),
};

document.addEventListener("click", (event) => {
  const { save, name } = event.target.dataset;
  if (!save) return;
  const near = event.target.closest("figure, .table");
  SAVE[save]({ figure: near, table: near?.querySelector("table"), name });
});
