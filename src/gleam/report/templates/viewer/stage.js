// The view as a file: PNG or SVG, as it is on the stage.

import { frames, scan, state } from "./state.js";
import { shown } from "./frames.js";
import { SVG, asPng, give } from "./save.js";

const FONT = "font-family='Helvetica, Arial, sans-serif'";

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
    `<svg xmlns="${SVG}" width="${whole.width}" height="${whole.height}" ` +
    `viewBox="0 0 ${whole.width} ${whole.height}"><rect width="100%" height="100%" fill="#fff"/>` +
    `${parts.join("")}</svg>`
  );
}

const plain = (text) => text.replace(/[^\p{L}\p{N}-]+/gu, "-").replace(/^-|-$/g, "");

function stageName() {
  const slice = scan().volume ? state.at.join("-") : scan().numbers[state.at[0]];
  return plain(`${scan().name}-${slice}${frames() > 1 ? `-frame-${state.frame}` : ""}`);
}

const SAVE = {
  "stage-svg": () => give(`${stageName()}.svg`, "image/svg+xml", stageAsSvg()),
  "stage-png": async () => give(`${stageName()}.png`, "image/png", await asPng(stageAsSvg())),
};

document.getElementById("viewer").addEventListener("click", (event) => {
  SAVE[event.target.dataset.save]?.();
});
