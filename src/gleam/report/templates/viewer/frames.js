// Frames: pictures of the stage, and what lies over them. Figures hold frames, one per plane.

import { change, clamp, frames, judged, onChange, scan, sizes, sources, state } from "./state.js";
import { cut } from "./stacks.js";
import { CYCLIC, GREY, INFERNO, difference, magnitude, paint, phase, turn } from "./pixels.js";

const WORDS = { image: "magnitude", error: "error", phase: "phase" };
const stage = document.getElementById("stage");
export const shown = []; // frames

export const element = (name, className, parent, text = "") => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
};

const SVG = "http://www.w3.org/2000/svg";

const ANEW = ["scan", "layout", "what", "pair"];

onChange((changed) => {
  if (ANEW.some((name) => changed.has(name))) arrange();
  stage.dataset.tool = state.tool;
});

/** Lay out the figures anew. */
function arrange() {
  const single = state.layout !== "grid";
  const reference = sources().findIndex((one) => one.reference);
  stage.replaceChildren();
  stage.dataset.layout = single || sources().length === 1 ? "single" : "grid";
  stage.dataset.volume = scan().volume;
  shown.length = 0;
  const groups = single ? [state.pair] : sources().map((_, number) => [number]);
  stage.style.setProperty("--figures", groups.length);
  for (const group of groups) {
    const figure = element("figure", "view", stage);
    captions(element("figcaption", "", figure), group);
    const pictures = element("div", "pictures", figure);
    for (const what of kinds()) {
      const blank = what === "error" && group.every((one) => one === reference);
      const planes = element("div", "planes", pictures);
      if (blank) sampling(planes);
      else for (const axis of axes()) shown.push(frame(planes, axis, what, group));
    }
    if (frames() > 1) shown.push(profile(pictures, group));
  }
}

const axes = () => (scan().volume ? [0, 1, 2] : [0]);

const kinds = () => {
  if (state.what === "both") return judged() ? ["image", "error"] : ["image"];
  return state.what === "error" && !judged() ? ["image"] : [state.what];
};

function captions(caption, group) {
  for (const number of group) {
    const line = element("span", "name", caption);
    const { name, colour } = sources()[number];
    const dot = element("i", "dot", line);
    dot.style.background = colour ?? "var(--soft)";
    line.append(group.length > 1 ? `${"AB"[line.parentElement.childElementCount - 1]}: ${name}` : name);
    line.dataset.source = number;
    element("span", "score", line);
  }
}

/** The shape of a plane as it is shown: rows, columns, and how wide over how high it is. */
export function shape(axis) {
  const [y, x] = sizes().filter((_, other) => other !== axis);
  const [tall, wide] = scan().voxel.filter((_, other) => other !== axis);
  const plane = scan().planes[axis];
  const turned = turn(plane, y, x);
  const ratio = (x * wide) / (y * tall);
  return { plane, rows: y, columns: x, ...turned, ratio: plane.transposed ? 1 / ratio : ratio };
}

function frame(parent, axis, what, group) {
  const outer = element("div", "frame", parent);
  const layers = group.map((source, position) => {
    const clip = element("div", "layer", outer);
    const canvas = element("canvas", "picture", clip);
    canvas.setAttribute("role", "img");
    return { source, position, clip, canvas };
  });
  const over = document.createElementNS(SVG, "svg");
  over.setAttribute("class", "over");
  over.setAttribute("aria-hidden", "true");
  over.setAttribute("preserveAspectRatio", "none");
  outer.append(over);
  const name = scan().planes[axis].name;
  if (name) element("span", "plane", outer, name);
  if (group.length > 1 && state.layout === "swipe") element("div", "divider", outer);
  outer.style.aspectRatio = shape(axis).ratio;
  return { outer, axis, what, layers, over, group };
}

function sampling(parent) {
  const url = scan().sampling;
  if (!url) return;
  const outer = element("div", "frame sampling", parent);
  outer.style.aspectRatio = shape(0).ratio;
  const image = element("img", "picture", outer);
  image.src = url;
  image.alt = "Sampling pattern; white was measured";
  element("span", "plane", outer, "sampling");
}

function profile(parent, group) {
  const outer = element("div", "profile", parent);
  const layers = group.map((source, position) => {
    const clip = element("div", "layer", outer);
    const canvas = element("canvas", "picture", clip);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${sources()[source].name}, profile along the line over time`);
    return { source, position, clip, canvas };
  });
  element("span", "plane", outer, "line over time →");
  return { outer, layers, what: "profile", group };
}

/** Draw every frame; what has been overtaken by a newer state is left out. */
export async function draw() {
  await Promise.all(shown.map((one) => (one.what === "profile" ? null : drawFrame(one))));
}

async function drawFrame(one) {
  place(one);
  await Promise.all(one.layers.map((layer) => drawLayer(one, layer)));
}

async function drawLayer(one, layer) {
  const image = sources()[layer.source];
  const key = [state.scan, state.frame, state.at[one.axis]].join();
  if (layer.key !== key) {
    const wanted = (layer.wanted = key);
    const values = await valuesOf(one.what, image, one.axis);
    if (layer.wanted !== wanted) return;
    Object.assign(layer, values, { key });
  }
  const { plane } = shape(one.axis);
  const [low, high, colours] = scale(one.what);
  paint(layer.canvas, layer.values, plane, layer.rows, layer.columns, low, high, colours);
  layer.canvas.setAttribute("aria-label", describe(one, image));
}

async function valuesOf(what, image, axis) {
  const { size } = scan();
  const found = await cut(image, size, axis, state.at, state.frame);
  const { rows, columns } = found;
  if (what === "phase") return { values: phase(found), rows, columns };
  if (what === "image") return { values: magnitude(found, image.step), rows, columns };
  const reference = sources().find((other) => other.reference);
  const target = await cut(reference, size, axis, state.at, state.frame);
  return { values: difference(found, image.step, target, reference.step), rows, columns };
}

/** Lowest and highest value, and colours between. */
export function scale(what) {
  const { white } = scan();
  if (what === "phase") return [0, 1, CYCLIC];
  if (what === "error") return [0, white / state.gain, INFERNO];
  return [state.black * white, state.white * white, GREY];
}

function describe(one, image) {
  const where = scan().planes[one.axis].name || `plane ${"zyx"[one.axis]}`;
  const number = one.axis === 0 ? scan().numbers[state.at[0]] : state.at[one.axis];
  const gain = one.what === "error" ? `, ${state.gain} times brighter` : "";
  const time = frames() > 1 ? `, frame ${state.frame}` : "";
  return `${image.name}, ${WORDS[one.what]}${gain}, ${where} ${number}${time}`;
}

/** Zoom, clip, and draw lines over a frame. */
export function place(one) {
  const { scale: k, x, y } = state.zoom;
  const moved = `translate(${-100 * x * k}%, ${-100 * y * k}%) scale(${k})`;
  uncover(one);
  for (const layer of one.layers) layer.canvas.style.transform = moved;
  one.over.style.transform = moved;
  const divider = one.outer.querySelector(".divider");
  if (divider) divider.style.left = `${100 * state.split}%`;
  const { height, width, source, rows, columns } = shape(one.axis);
  one.over.setAttribute("viewBox", `0 0 ${width} ${height}`);
  one.over.replaceChildren();
  if (scan().volume) {
    const [r, c] = pixelOf(one.axis, state.at);
    line(one.over, "cross", [0, r + 0.5, width, r + 0.5]);
    line(one.over, "cross", [c + 0.5, 0, c + 0.5, height]);
  } else if (state.line && frames() > 1) {
    const [x0, y0, x1, y1] = state.line;
    const [r0, c0] = pixelOf(0, [0, y0, x0]);
    const [r1, c1] = pixelOf(0, [0, y1, x1]);
    line(one.over, "track", [c0 + 0.5, r0 + 0.5, c1 + 0.5, r1 + 0.5]);
  }
}

/** Of two layers, show what swipe or flicker shows. */
export function uncover(one) {
  for (const { clip, position } of one.layers) {
    const swiped = position === 1 && state.layout === "swipe";
    clip.style.clipPath = swiped ? `inset(0 0 0 ${100 * state.split}%)` : "";
    const behind = state.layout === "flicker" && position !== state.front;
    clip.style.visibility = behind ? "hidden" : "";
  }
}

function line(over, className, [x1, y1, x2, y2]) {
  const made = document.createElementNS(SVG, "line");
  made.setAttribute("class", className);
  for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) made.setAttribute(name, value);
  over.append(made);
}

/** Where a voxel is shown in a plane: row and column. */
export function pixelOf(axis, at) {
  const { plane, height, width } = shape(axis);
  let [r, c] = at.filter((_, other) => other !== axis);
  if (plane.transposed) [r, c] = [c, r];
  return [plane.flipped[0] ? height - 1 - r : r, plane.flipped[1] ? width - 1 - c : c];
}

/** The voxel under a place of a frame, given as shares of its width and height. */
export function voxelAt(axis, across, down) {
  const { scale: k, x, y } = state.zoom;
  const { height, width, source } = shape(axis);
  const row = clamp(Math.floor((y + down / k) * height), 0, height - 1);
  const column = clamp(Math.floor((x + across / k) * width), 0, width - 1);
  const [r, c] = source(row, column);
  const at = [...state.at];
  const others = [0, 1, 2].filter((other) => other !== axis);
  at[others[0]] = r;
  at[others[1]] = c;
  return at;
}

/** Zoom by a factor around a place of the frame. */
export function zoomBy(factor, across = 0.5, down = 0.5) {
  const { scale: k, x, y } = state.zoom;
  const scale = clamp(k * factor, 1, 32);
  moveTo(scale, x + across / k - across / scale, y + down / k - down / scale);
}

export function moveTo(scale, x, y) {
  const most = 1 - 1 / scale;
  change({ zoom: { scale, x: clamp(x, 0, most), y: clamp(y, 0, most) } });
}
