// Wheel, mouse and touch on the stage. A mouse drags what the chosen tool says, the other buttons
// move; one finger, too; two fingers zoom.

import { change, clamp, frames, goTo, goToFrame, scan, sizes, state } from "./state.js";
import { moveTo, shown, voxelAt, zoomBy } from "./frames.js";

const stage = document.getElementById("stage");
const pointers = new Map(); // by id: where each is
let drag = null;

const frameAt = (target) => shown.find((one) => one.what !== "profile" && one.outer.contains(target));

const shares = (one, event) => {
  const box = one.outer.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
};

stage.addEventListener(
  "wheel",
  (event) => {
    const one = frameAt(event.target);
    if (!one) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 300), ...shares(one, event));
    } else if (step(one.axis, Math.sign(event.deltaY))) {
      event.preventDefault();
    }
  },
  { passive: false },
);

/** To the next slice, or frame where there is one slice; whether there was a way to go. */
function step(axis, by) {
  const count = sizes()[axis];
  if (count === 1 && frames() > 1) {
    goToFrame(state.frame + by);
    return true;
  }
  const next = clamp(state.at[axis] + by, 0, count - 1);
  if (next === state.at[axis]) return false;
  goTo(axis, next);
  return true;
}

stage.addEventListener("pointerdown", (event) => {
  const one = frameAt(event.target);
  if (!one) return;
  pointers.set(event.pointerId, event);
  one.outer.setPointerCapture(event.pointerId);
  if (pointers.size > 1) {
    drag = pinch(one);
    return;
  }
  const place = shares(one, event);
  const divides = state.layout === "swipe" && Math.abs(place[0] - state.split) < 0.06;
  const other = event.button > 0 || event.shiftKey;
  const tool = divides ? "divide" : other ? "move" : state.tool;
  drag = { one, tool, start: event, last: event, moved: false, zoom: state.zoom, ...windowNow() };
  drag.at = state.at[one.axis];
  drag.frame = state.frame;
  if (tool === "line") drag.from = voxelAt(one.axis, ...place);
});

const windowNow = () => ({ black: state.black, white: state.white });

stage.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId) || !drag) return;
  pointers.set(event.pointerId, event);
  if (drag.tool === "pinch") return pinched();
  const dx = event.clientX - drag.start.clientX;
  const dy = event.clientY - drag.start.clientY;
  drag.moved ||= Math.hypot(dx, dy) > 3;
  if (drag.moved) tools[drag.tool](drag, event, dx, dy);
});

for (const kind of ["pointerup", "pointercancel"]) {
  stage.addEventListener(kind, (event) => {
    if (!pointers.delete(event.pointerId) || !drag) return;
    const { one, moved } = drag;
    if (kind === "pointerup" && !moved && drag.tool !== "pinch" && scan().volume) {
      change({ at: voxelAt(one.axis, ...shares(one, event)) });
    }
    drag = null;
  });
}

const tools = {
  /** Across: how wide the window is. Down: darker. */
  window({ one, black, white }, _, dx, dy) {
    const box = one.outer.getBoundingClientRect();
    const width = (white - black) * Math.exp(dx / box.width);
    const middle = (black + white) / 2 + (dy / box.height) * (white - black);
    change({ black: middle - width / 2, white: middle + width / 2 });
  },
  /** A finger goes across, as down scrolls the page; a mouse either way. */
  scroll({ one, at, frame, start }, _, dx, dy) {
    const way = start.pointerType === "touch" || Math.abs(dx) > Math.abs(dy) ? -dx : dy;
    const slices = sizes()[one.axis];
    const steps = Math.round((way / 240) * Math.max(slices > 1 ? slices : frames(), 12));
    if (slices > 1) goTo(one.axis, at + steps);
    else if (frames() > 1) goToFrame(((frame + steps) % frames()) + frames());
  },
  move({ one, zoom }, _, dx, dy) {
    const box = one.outer.getBoundingClientRect();
    const { scale, x, y } = zoom;
    moveTo(scale, x - dx / box.width / scale, y - dy / box.height / scale);
  },
  line({ one, from }, event) {
    const to = voxelAt(one.axis, ...shares(one, event).map((share) => clamp(share, 0, 0.999)));
    change({ line: [from[2], from[1], to[2], to[1]] });
  },
  divide({ one }, event) {
    change({ split: clamp(shares(one, event)[0], 0, 1) });
  },
};

const spread = () => {
  const [a, b] = [...pointers.values()];
  return {
    distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
    clientX: (a.clientX + b.clientX) / 2,
    clientY: (a.clientY + b.clientY) / 2,
  };
};

function pinch(one) {
  return { one, tool: "pinch", moved: true, start: spread(), zoom: state.zoom };
}

/** What lay between the fingers stays there. */
function pinched() {
  const { one, start, zoom } = drag;
  const now = spread();
  const scale = clamp((zoom.scale * now.distance) / start.distance, 1, 32);
  const [across, down] = shares(one, start);
  const [nowAcross, nowDown] = shares(one, now);
  const [x, y] = [zoom.x + across / zoom.scale, zoom.y + down / zoom.scale];
  moveTo(scale, x - nowAcross / scale, y - nowDown / scale);
}

stage.addEventListener("contextmenu", (event) => frameAt(event.target) && event.preventDefault());
