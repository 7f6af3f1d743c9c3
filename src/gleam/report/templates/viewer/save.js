// Files that the page gives: plots as PNG and SVG, tables as CSV and LaTeX. See stage.js for the view.

export const SVG = "http://www.w3.org/2000/svg";

export function give(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** A plot with what the page's style gives it. */
function plotAsSvg(figure) {
  const copy = figure.querySelector("svg").cloneNode(true);
  const { width, height } = figure.querySelector("svg").getBoundingClientRect();
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.style.color = "#222";
  copy.style.fontFamily = "Helvetica, Arial, sans-serif";
  const ground = document.createElementNS(SVG, "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", "#fff");
  copy.querySelectorAll('[aria-label="tip"]').forEach((tip) => tip.remove());
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

export async function asPng(svg) {
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
  "<": "$<$",
  ">": "$>$",
  "\u202f": "\\,",
};

function asLatex(table) {
  const safe = (text) =>
    text.replace(/[&%#_{}$]/g, "\\$&").replace(/[~^×−–±<>\u202f]|\\(?![&%#_{}$])/g, (letter) => TEX[letter]);
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
  "plot-svg": ({ figure, name }) => give(`${name}.svg`, "image/svg+xml", plotAsSvg(figure)),
  "plot-png": async ({ figure, name }) => give(`${name}.png`, "image/png", await asPng(plotAsSvg(figure))),
  csv: ({ table, name }) => give(`${name}.csv`, "text/csv", asCsv(table)),
  latex: ({ table, name }) => give(`${name}.tex`, "text/x-tex", asLatex(table)),
};

document.addEventListener("click", (event) => {
  const { save, name } = event.target.dataset;
  if (!SAVE[save]) return;
  const near = event.target.closest("figure, .table");
  SAVE[save]({ figure: near, table: near?.querySelector("table"), name });
});
