// Begins: the first picture is drawn before the rest of the page is there.

import { onChange, open, page, state } from "./state.js";
import { draw } from "./frames.js";
import { drawProfiles } from "./cine.js";

onChange(() => {
  const stage = document.getElementById("stage");
  draw()
    .then(drawProfiles)
    .then(() => (stage.dataset.drawn = [state.scan, ...state.at, state.frame].join(" ")));
});

if (page.scans.length) {
  const { images } = page.scans[0];
  const reference = Math.max(0, images.findIndex((one) => one.reference));
  state.pair = [reference, images.length - 1];
  state.scan = -1;
  open(0);
}
