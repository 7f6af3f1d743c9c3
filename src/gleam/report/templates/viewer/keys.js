// Keys: anywhere on the page but where something is typed or chosen.

import { change, goTo, goToFrame, judged, open, page, scan, sizes, sources, state } from "./state.js";
import { moveTo, zoomBy } from "./frames.js";
import { toggle } from "./cine.js";
import { changeGain, flick, reset } from "./controls.js";

const KINDS = ["both", "image", "error", "phase"];
const turn = (list, value) => list[(list.indexOf(value) + 1) % list.length];
const by = (count) => () => goTo(0, state.at[0] + count);
const time = (count) => () => goToFrame(state.frame + count);
const layout = (name) => () =>
  sources().length > 1 && change({ layout: state.layout === name ? "grid" : name });

const move = (x, y) => () => {
  const { zoom } = state;
  moveTo(zoom.scale, zoom.x + (x * 0.1) / zoom.scale, zoom.y + (y * 0.1) / zoom.scale);
};

/** A wider window, or a higher one, by a tenth. */
const window_ = (wider, higher) => () => {
  const width = (state.white - state.black) * wider;
  const middle = (state.black + state.white) / 2 + higher * (state.white - state.black);
  change({ black: middle - width / 2, white: middle + width / 2 });
};

const KEYS = {
  ArrowUp: by(-1),
  ArrowDown: by(1),
  PageUp: by(-10),
  PageDown: by(10),
  Home: () => goTo(0, 0),
  End: () => goTo(0, sizes()[0] - 1),
  ArrowLeft: time(-1),
  ArrowRight: time(1),
  " ": toggle,
  n: () => open((state.scan + 1) % page.scans.length),
  p: () => open((state.scan + page.scans.length - 1) % page.scans.length),
  f: flick,
  s: layout("swipe"),
  g: () => change({ layout: "grid" }),
  e: () => change({ what: turn(judged() ? KINDS : ["image", "phase"], state.what) }),
  "[": () => changeGain(-1),
  "]": () => changeGain(1),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(0.8),
  h: move(-1, 0),
  l: move(1, 0),
  k: move(0, -1),
  j: move(0, 1),
  c: window_(1.1, 0),
  C: window_(1 / 1.1, 0),
  b: window_(1, -0.05),
  B: window_(1, 0.05),
  0: reset,
  "?": () => document.getElementById("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (target.matches("input, select, textarea, button, summary, a") && !passes(target, key)) return;
  const number = Number(key);
  if (number >= 1 && number <= sources().length) {
    change({ pair: [state.pair[0], number - 1], front: 1 });
  } else if (KEYS[key]) {
    if (key.startsWith("Arrow") && nothingToDo(key)) return;
    KEYS[key]();
  } else {
    return;
  }
  event.preventDefault();
});

/** Letters do their work though a control has the focus; what the control itself takes does not. */
const passes = (target, key) =>
  /^[a-zA-Z[\]?]$/.test(key) && !target.matches("select, textarea, [type=number]");

/** Then the key scrolls the page. */
const nothingToDo = (key) =>
  ["ArrowLeft", "ArrowRight"].includes(key) ? scan().size[1] === 1 : scan().size[0] === 1;
