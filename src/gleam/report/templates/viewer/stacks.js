// Unpacking: the other side of `gleam.viewing.stack`, a plane at a time and only what is seen.

const ROOM = 400e6; // bytes of planes kept unpacked
const kept = new Map(); // by "block plane": plane and bytes, the one used longest ago first
let used = 0;

const parsed = new Promise((resolve) => {
  if (document.readyState !== "loading") resolve();
  else document.addEventListener("DOMContentLoaded", resolve, { once: true });
});
const blocks = new Map();

/** The packed planes of an image; those of the first scan are there before the page is whole. */
async function block(id) {
  if (!blocks.has(id)) {
    const early = document.getElementById(id);
    if (!early?.dataset.early) await parsed;
    blocks.set(id, document.getElementById(id).textContent.split(","));
  }
  return blocks.get(id);
}

/** Levels of one plane, Int16Array (set × part, row, column). */
export async function levels(image, size, z, frame) {
  const [, frames, sets, rows, columns] = size;
  const number = z * frames + frame;
  const key = `${image.block} ${number}`;
  const known = kept.get(key);
  kept.delete(key);
  const one = known ?? {
    bytes: 4 * sets * rows * columns,
    plane: block(image.block).then((planes) => unpack(planes[number], sets * 2, rows, columns)),
  };
  if (!known) used += one.bytes;
  kept.set(key, one);
  forget();
  return one.plane;
}

function forget() {
  for (const [key, { bytes }] of kept) {
    if (used < ROOM) return;
    kept.delete(key);
    used -= bytes;
  }
}

async function unpack(text, parts, rows, columns) {
  const data = await inflate(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  const count = parts * rows * columns;
  const values = new Int16Array(count);
  for (let start = 0; start < count; start += columns) {
    let value = 0;
    for (let i = start; i < start + columns; i++) {
      value += (data[i] << 8) | data[count + i];
      values[i] = value; // modulo 2¹⁶
    }
  }
  return values;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A plane across an axis (0 z, 1 y, 2 x) at a voxel: its levels, rows and columns. */
export async function cut(image, size, axis, [z, y, x], frame) {
  const [depth, , sets, height, width] = size;
  if (axis === 0) {
    return { levels: await levels(image, size, z, frame), rows: height, columns: width };
  }
  const all = await Promise.all(
    Array.from({ length: depth }, (_, k) => levels(image, size, k, frame)),
  );
  const parts = sets * 2;
  const columns = axis === 1 ? width : height;
  const values = new Int16Array(parts * depth * columns);
  for (let part = 0; part < parts; part++) {
    for (let k = 0; k < depth; k++) {
      const from = part * height * width;
      const to = (part * depth + k) * columns;
      if (axis === 1) {
        values.set(all[k].subarray(from + y * width, from + (y + 1) * width), to);
      } else {
        for (let j = 0; j < height; j++) values[to + j] = all[k][from + j * width + x];
      }
    }
  }
  return { levels: values, rows: depth, columns };
}
