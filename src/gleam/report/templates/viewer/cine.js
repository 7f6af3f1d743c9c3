// Series: playing them, and the profile over time along a line.

import { change, frames, goToFrame, onChange, scan, sizes, sources, state } from "./state.js";
import { cut } from "./stacks.js";
import { magnitude, paint } from "./pixels.js";
import { scale, shown, uncover } from "./frames.js";

const PLANE = { transposed: false, flipped: [false, false] };
const PERIOD = 60; // ms of a frame
let timer = null;

onChange((changed) => {
  if (changed.has("playing")) play();
});

function play() {
  clearInterval(timer);
  if (state.playing) timer = setInterval(() => goToFrame(state.frame + 1), PERIOD);
}

export function toggle() {
  if (frames() > 1) change({ playing: !state.playing });
}

/** Draw every profile that the line, the slice or the window changed. */
export async function drawProfiles() {
  const profiles = shown.filter((one) => one.what === "profile");
  await Promise.all(
    profiles.flatMap((one) => {
      uncover(one);
      return one.layers.map(drawProfile);
    }),
  );
}

async function drawProfile(layer) {
  const key = [state.scan, state.at[0], state.line].join();
  if (layer.key !== key) {
    layer.wanted = key;
    const found = await profileOf(sources()[layer.source]);
    if (layer.wanted !== key) return;
    Object.assign(layer, found, { key });
  }
  const [low, high, colours] = scale("image");
  paint(layer.canvas, layer.values, PLANE, layer.rows, layer.columns, low, high, colours);
}

/** Magnitude along the line (down) over the frames (across). */
async function profileOf(image) {
  const count = frames();
  const [x0, y0, x1, y1] = state.line;
  const rows = Math.max(2, Math.round(Math.hypot(x1 - x0, y1 - y0)) + 1);
  const values = new Float32Array(rows * count);
  const cuts = await Promise.all(
    Array.from({ length: count }, (_, frame) => cut(image, scan().size, 0, state.at, frame)),
  );
  for (const [frame, found] of cuts.entries()) {
    const seen = magnitude(found, image.step);
    for (let i = 0; i < rows; i++) {
      const share = i / (rows - 1);
      const x = x0 + share * (x1 - x0);
      const y = y0 + share * (y1 - y0);
      values[i * count + frame] = between(seen, x, y);
    }
  }
  return { values, rows, columns: count };
}

/** Linear interpolation. */
function between(values, x, y) {
  const [, height, width] = sizes();
  const [left, top] = [Math.min(Math.floor(x), width - 2), Math.min(Math.floor(y), height - 2)];
  const [fx, fy] = [x - left, y - top];
  const at = (row, column) => values[row * width + column];
  const above = (1 - fx) * at(top, left) + fx * at(top, left + 1);
  const below = (1 - fx) * at(top + 1, left) + fx * at(top + 1, left + 1);
  return (1 - fy) * above + fy * below;
}
