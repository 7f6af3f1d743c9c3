// The controls above the stage: native inputs, each bound to one field of the state.

import {
  change, clamp, frames, goTo, goToFrame, judged, onChange, open, page, scan, sizes, sources, state,
} from "./state.js";
import { element } from "./frames.js";
import { toggle } from "./cine.js";

const viewer = document.getElementById("viewer");
const control = (name) => viewer.querySelector(`[name="${name}"]`);
const part = (name) => viewer.querySelector(`[data-part="${name}"]`);

const GAINS = [1, 2, 5, 10, 20, 50];

/** Fill what never changes. */
function fill() {
  const groups = new Map();
  for (const [number, one] of page.scans.entries()) {
    if (one.group && !groups.has(one.group)) {
      const group = element("optgroup", "", control("scan"));
      group.label = one.group;
      groups.set(one.group, group);
    }
    const option = element("option", "", groups.get(one.group) ?? control("scan"), one.name);
    option.value = number;
  }
  const colours = Array.from({ length: 17 }, (_, k) => d3.interpolateInferno(k / 16));
  part("scale").querySelector("i").style.background = `linear-gradient(90deg, ${colours})`;
  for (const gain of GAINS) element("option", "", control("gain"), `${gain}×`).value = gain;
}

/** Say of every control that of the state. */
function reflect(changed) {
  if (changed.has("scan")) {
    for (const name of ["a", "b"]) {
      control(name).replaceChildren();
      for (const [number, one] of sources().entries()) {
        element("option", "", control(name), one.name).value = number;
      }
    }
    const possible = {
      error: judged(),
      line: frames() > 1,
      swipe: sources().length > 1,
    };
    for (const one of viewer.querySelectorAll("[data-needs]")) {
      one.hidden = !possible[one.dataset.needs];
    }
    part("slice").hidden = scan().volume || sizes()[0] === 1;
    part("planes").hidden = !scan().volume;
    part("time").hidden = frames() === 1;
    part("scan").hidden = page.scans.length === 1;
    part("caption").textContent = scan().caption;
  }
  control("scan").value = state.scan;
  range(control("slice"), state.at[0], sizes()[0], `${scan().numbers[state.at[0]]}`);
  for (const axis of [0, 1, 2]) {
    range(control("zyx"[axis]), state.at[axis], sizes()[axis], `${state.at[axis]}`);
  }
  range(control("frame"), state.frame, frames(), `${state.frame}`);
  for (const name of ["layout", "what", "tool"]) {
    const chosen = viewer.querySelector(`[name="${name}"][value="${state[name]}"]`);
    chosen.checked = true;
  }
  control("gain").value = state.gain;
  [control("a").value, control("b").value] = state.pair;
  control("split").value = 100 * state.split;
  control("black").value = (100 * state.black).toFixed(0);
  control("white").value = (100 * state.white).toFixed(0);
  if (state.layout !== "flicker" && control("flicker").checked) {
    control("flicker").checked = false;
    flickerByItself();
  }
  part("pair").hidden = state.layout === "grid";
  part("split").hidden = state.layout !== "swipe";
  part("flicker").hidden = state.layout !== "flicker";
  part("gain").hidden = !judged() || !["both", "error"].includes(state.what);
  part("scale").hidden = part("gain").hidden;
  part("scale").firstElementChild.textContent = `error, ${state.gain}× as bright as the images: 0`;
  part("scale").lastElementChild.textContent = `${round(100 / state.gain)} % of white, and more`;
  part("play").textContent = state.playing ? "Pause" : "Play";
  part("front").textContent = state.front ? "shown: B" : "shown: A";
  scores();
}

function range(input, value, count, said) {
  input.max = count - 1;
  input.value = value;
  input.setAttribute("aria-valuetext", said);
  input.parentElement.querySelector("output").value = `${said} (${value + 1} of ${count})`;
}

/** Beside each name, the scores of what is shown; and all of them for those who listen. */
function scores() {
  const { scores, frameScores } = scan();
  const slice = scan().volume ? 0 : state.at[0];
  for (const line of viewer.querySelectorAll(".name")) {
    const { name } = sources()[line.dataset.source];
    const said = [];
    const own = scores?.[name];
    const frame = frameScores?.[name]?.[slice]?.[state.frame];
    if (frame !== undefined) said.push(`${decibel(frame)} dB this frame`);
    else if (own) said.push(`${decibel(own.psnr_complex[slice])} dB`);
    if (own && own.ssim[slice] !== null) said.push(`SSIM ${own.ssim[slice].toFixed(4)}`);
    line.querySelector(".score").textContent = said.join(" · ");
    const behind = state.layout === "flicker" && Number(line.dataset.source) !== state.pair[state.front];
    line.classList.toggle("behind", behind);
  }
  say();
}

const round = (value) => Number(value.toPrecision(3));

const decibel = (value) => (value === null ? "–" : value.toFixed(2));

let telling = null;
function say() {
  clearTimeout(telling);
  if (state.playing) return;
  telling = setTimeout(() => {
    const lines = [...viewer.querySelectorAll(".name")].map((line) => line.innerText);
    const place = scan().volume ? "" : `slice ${scan().numbers[state.at[0]]}: `;
    part("status").textContent = `${scan().name}, ${place}${lines.join("; ")}`;
  }, 600);
}

const number = (event) => Number(event.target.value);
const ON = {
  scan: (event) => open(number(event)),
  slice: (event) => goTo(0, number(event)),
  z: (event) => goTo(0, number(event)),
  y: (event) => goTo(1, number(event)),
  x: (event) => goTo(2, number(event)),
  frame: (event) => change({ frame: number(event), playing: false }),
  layout: (event) => change({ layout: event.target.value }),
  what: (event) => change({ what: event.target.value }),
  tool: (event) => change({ tool: event.target.value }),
  gain: (event) => change({ gain: number(event) }),
  a: (event) => change({ pair: [number(event), state.pair[1]] }),
  b: (event) => change({ pair: [state.pair[0], number(event)] }),
  split: (event) => change({ split: number(event) / 100 }),
  black: (event) => change({ black: Math.min(number(event) / 100, state.white - 0.01) }),
  white: (event) => change({ white: Math.max(number(event) / 100, state.black + 0.01) }),
};
viewer.addEventListener("input", (event) => ON[event.target.name]?.(event));

// Who has chosen with the mouse goes on with keys that mean the pictures, not the control.
let pressed = false;
viewer.addEventListener("pointerdown", () => (pressed = true), true);
viewer.addEventListener("keydown", () => (pressed = false), true);
viewer.addEventListener("change", ({ target }) => {
  if (pressed && !target.matches("[type=number]")) target.blur();
});

let flickering = null;
control("flicker").addEventListener("change", flickerByItself);

function flickerByItself() {
  clearInterval(flickering);
  if (control("flicker").checked) flickering = setInterval(flick, 500);
}

/** To the other of the pair; from side by side, flicker begins. */
export function flick() {
  if (sources().length < 2) return;
  change({ layout: "flicker", front: state.layout === "flicker" ? 1 - state.front : state.front });
}

export function changeGain(by) {
  const next = clamp(GAINS.indexOf(state.gain) + by, 0, GAINS.length - 1);
  change({ gain: GAINS[next] });
}

export function reset() {
  change({ black: 0, white: 1, zoom: { scale: 1, x: 0, y: 0 }, gain: page.gain, split: 0.5 });
}

const ACTIONS = {
  play: toggle,
  reset,
  flick,
  help: () => document.getElementById("help").showModal(),
  before: () => goToFrame(state.frame - 1),
  after: () => goToFrame(state.frame + 1),
};
viewer.addEventListener("click", (event) => ACTIONS[event.target.dataset.action]?.());

onChange(reflect);
fill();
