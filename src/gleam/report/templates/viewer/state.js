// What is looked at, and how. All that draws reads it; all that listens to a user changes it.

export const page = JSON.parse(document.getElementById("content").textContent);

export const state = {
  scan: 0, // of page.scans
  frame: 0,
  at: [0, 0, 0], // z, y, x: the voxel where a volume's planes meet; of 2D scans z is the slice
  layout: "grid", // grid, swipe or flicker
  pair: [0, 1], // of sources(): what swipe and flicker compare
  front: 0, // of the pair, which one flicker shows
  split: 0.5, // where swipe divides
  what: "both", // image, error, both or phase
  gain: 1, // of errors
  black: 0, // shares of what the scan draws white
  white: 1,
  zoom: { scale: 1, x: 0, y: 0 }, // x, y: the left upper corner, as a share of the frame
  tool: matchMedia("(pointer: coarse)").matches ? "scroll" : "window",
  line: null, // of the profile over time: [x, y, x, y] in voxels of the plane across z
  playing: false,
};

const listeners = [];
let changed = new Set();

/** Call `listen(changed)` before the next picture is shown, with the names of what changed. */
export function onChange(listen) {
  listeners.push(listen);
}

export function change(values) {
  if (!changed.size) requestAnimationFrame(tell);
  for (const [name, value] of Object.entries(values)) {
    if (state[name] === value) continue;
    state[name] = value;
    changed.add(name);
  }
  changed.add("");
}

function tell() {
  const names = changed;
  changed = new Set();
  for (const listen of listeners) listen(names);
}

export const scan = () => page.scans[state.scan];

/** What can be shown of a scan: the reference, if there is one, and every method. */
export const sources = () => scan().images;

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Along z, y and x. */
export const sizes = () => {
  const [z, , , y, x] = scan().size;
  return [z, y, x];
};

export const frames = () => scan().size[1];

/** Whether errors are known. */
export const judged = () => sources().some((one) => one.reference);

/** Go to another plane across an axis. */
export function goTo(axis, index) {
  const at = [...state.at];
  at[axis] = clamp(index, 0, sizes()[axis] - 1);
  if (at[axis] !== state.at[axis]) change({ at });
}

export function goToFrame(frame) {
  change({ frame: (frame + frames()) % frames() });
}

/** Look at a scan, in the middle of it or at a place of it. */
export function open(number, place = {}) {
  const [z, count, , y, x] = page.scans[number].size;
  change({
    scan: number,
    at: [place.z ?? Math.floor(z / 2), Math.floor(y / 2), Math.floor(x / 2)],
    frame: Math.min(state.frame, count - 1),
    line: page.scans[number].line,
    playing: state.playing && count > 1,
    gain: page.gain,
    what: page.scans[number].images.some((one) => one.reference) ? state.what : "image",
    pair: state.pair.map((one) => Math.min(one, page.scans[number].images.length - 1)),
  });
}
