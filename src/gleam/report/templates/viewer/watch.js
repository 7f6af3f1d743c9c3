// A run while it trains: its events are asked for again and again, and drawn.

const EVERY = 2000; // ms
const POINTS = 300; // of a curve
const byId = (id) => document.getElementById(id);

let events = [];
let read = 0; // bytes of the log
let followed = true; // the newest picture is shown

async function ask() {
  try {
    const answer = await (await fetch(`events?from=${read}`)).json();
    if (answer.from < read) events = []; // the log was written anew
    for (const line of answer.lines) take(line);
    if (answer.next !== read || !events.drawn) draw(answer.pictures);
    read = answer.next;
    events.drawn = true;
  } catch {
    byId("now").textContent = "Nothing answers any more: gleam watch has ended.";
    return;
  }
  setTimeout(ask, EVERY);
}

/** A run that goes on starts again: what came after that step is forgotten. */
function take(event) {
  if (event.event === "start") events = events.filter((one) => one.step <= event.step);
  events.push(event);
}

const last = (kind) => events.findLast((one) => one.event === kind);

function draw(pictures) {
  const start = last("start");
  const steps = last("steps");
  const end = last("end");
  const done = d3.max(events, (one) => one.step) ?? 0;
  const total = start?.steps ?? 0;
  byId("progress").max = total || 1;
  byId("progress").value = done;
  const ended = end && events.lastIndexOf(end) > events.lastIndexOf(start);
  const left = steps && !ended ? ((total - done) * steps.ms_per_step) / 1000 : null;
  byId("now").textContent = ended
    ? `Step ${done} of ${total}: ${end.reason}${end.text ? ` (${end.text})` : ""}.`
    : `Step ${done} of ${total}${left === null ? "" : `, ${time(left)} left`}.`;
  facts(start, steps);
  curves("losses", losses(), true, "training loss");
  const psnr = validation();
  byId("validation").hidden = !psnr.length && !pictures.length;
  curves("psnr", [{ name: "after the last iteration", points: psnr }], false, "PSNR (dB)");
  const bytes = events.filter((one) => one.peak_memory_bytes).map((one) => [one.step, one.peak_memory_bytes / 2 ** 20]);
  byId("memory").hidden = !bytes.length;
  curves("bytes", [{ name: "peak memory", points: bytes }], false, "MiB");
  album(pictures);
  const said = events.filter((one) => one.event === "warning" || one.event === "plateau");
  byId("said").hidden = !said.length;
  byId("lines").replaceChildren(...said.map((one) => made("li", `step ${one.step}: ${one.text}`)));
}

function made(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function facts(start, steps) {
  const rows = [
    ["on", start?.device],
    ["precision", start?.precision],
    ["ms per step", steps && number(steps.ms_per_step)],
    ["slices per second", steps && number(steps.slices_per_second)],
    ["waiting for data", steps && `${Math.round(100 * steps.waiting)} %`],
    ["peak memory", steps?.peak_memory_bytes && `${Math.round(steps.peak_memory_bytes / 2 ** 20)} MiB`],
    ["best PSNR", validation().length && `${Math.max(...validation().map(([, y]) => y)).toFixed(2)} dB`],
  ];
  const known = rows.filter(([, value]) => value);
  byId("facts").replaceChildren(
    ...known.map(([name, value]) => {
      const group = document.createElement("div");
      group.append(made("dt", name), made("dd", value));
      return group;
    }),
  );
}

const number = (value) => Number(value.toPrecision(3)).toString();

function time(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

function losses() {
  const found = new Map();
  for (const one of events) {
    for (const [module, values] of Object.entries(one.losses ?? {})) {
      if (!found.has(module)) found.set(module, []);
      const first = one.step - values.length + 1;
      values.forEach((value, k) => value !== null && found.get(module).push([first + k, value]));
    }
  }
  return [...found].map(([module, points]) => ({ name: `module ${module}`, points }));
}

const validation = () =>
  events
    .filter((one) => one.event === "validation")
    .map((one) => [one.step, Object.values(one.psnr).at(-1)])
    .filter(([, y]) => y !== null);

/** Means over equal parts, so that long trainings are as quick to draw as short ones. */
function thinned(points) {
  const size = Math.ceil(points.length / POINTS);
  if (size <= 1) return points;
  const parts = [];
  for (let k = 0; k < points.length; k += size) {
    const part = points.slice(k, k + size);
    parts.push([d3.mean(part, ([x]) => x), d3.mean(part, ([, y]) => y)]);
  }
  return parts;
}

function curves(id, all, logarithmic, label) {
  const figure = byId(id);
  figure.replaceChildren();
  const known = all.map((one) => ({ ...one, points: thinned(one.points) })).filter((one) => one.points.length);
  if (!known.length || !figure.clientWidth) return;
  const ys = known.flatMap(({ points }) => points.map(([, y]) => y));
  const wide = logarithmic && d3.min(ys) > 0 && d3.max(ys) > 4 * d3.min(ys);
  const shade = (k) => d3.interpolateViridis(0.1 + (0.75 * k) / Math.max(1, known.length - 1));
  const named = known.flatMap(({ name, points }) => points.map(([x, y]) => ({ name, x, y })));
  const plot = Plot.plot({
    width: Math.max(280, figure.clientWidth),
    height: 260,
    marginLeft: 56,
    style: { background: "transparent", fontSize: "12px", fontFamily: "inherit" },
    x: { label: "step" },
    y: { label, grid: true, type: wide ? "log" : "linear", tickFormat: wide ? "~g" : undefined, zero: id === "bytes" },
    marks: [
      ...known.map(({ points }, k) => Plot.line(points, { x: "0", y: "1", stroke: shade(k), strokeWidth: 1.8 })),
      ...known.filter(({ points }) => points.length < 40).map(({ points }) => Plot.dot(points, { x: "0", y: "1", r: 2, fill: "currentColor" })),
      Plot.tip(named, Plot.pointer({ x: "x", y: "y", title: (d) => `${d.name}\nstep ${Math.round(d.x)}: ${number(d.y)}` })),
    ],
  });
  plot.setAttribute("aria-hidden", "true");
  figure.append(plot);
}

let steps = [];
function album(pictures) {
  steps = pictures;
  const slider = byId("when");
  slider.parentElement.hidden = steps.length < 2;
  byId("picture").hidden = !steps.length;
  slider.max = Math.max(0, steps.length - 1);
  if (followed) slider.value = slider.max;
  if (steps.length) show();
}

function show() {
  const step = steps[byId("when").value];
  const score = events.find((one) => one.event === "validation" && one.step === step);
  const psnr = score ? `, ${Object.values(score.psnr).at(-1)?.toFixed(2)} dB` : "";
  const picture = byId("picture");
  const source = `picture?step=${step}`;
  if (!picture.src.endsWith(source)) picture.src = source;
  picture.alt = `Reconstruction, target and error at step ${step}${psnr}`;
  byId("when").parentElement.querySelector("output").value = `${step}${psnr}`;
}

byId("when").addEventListener("input", () => {
  followed = Number(byId("when").value) === steps.length - 1;
  show();
});

ask();
