// From levels to what is drawn: magnitudes, errors and phases; then grey or colour.

/** Root sum of squares over the map sets. */
export function magnitude({ levels, rows, columns }, step) {
  const count = rows * columns;
  const values = new Float32Array(count);
  for (let part = 0; part < levels.length; part += count) {
    for (let i = 0; i < count; i++) values[i] += levels[part + i] ** 2;
  }
  for (let i = 0; i < count; i++) values[i] = step * Math.sqrt(values[i]);
  return values;
}

/** Magnitude of the complex difference. */
export function difference(image, step, reference, referenceStep) {
  const count = image.rows * image.columns;
  const values = new Float32Array(count);
  for (let part = 0; part < image.levels.length; part += count) {
    for (let i = 0; i < count; i++) {
      const j = part + i;
      values[i] += (step * image.levels[j] - referenceStep * reference.levels[j]) ** 2;
    }
  }
  return values.map(Math.sqrt);
}

/** Of the first map set, from 0 to 1. */
export function phase({ levels, rows, columns }) {
  const count = rows * columns;
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    values[i] = 0.5 + Math.atan2(levels[count + i], levels[i]) / (2 * Math.PI);
  }
  return values;
}

const table = (colour) =>
  Uint32Array.from({ length: 256 }, (_, i) => {
    const { r, g, b } = d3.rgb(colour(i / 255));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });

export const GREY = table((t) => d3.rgb(255 * t, 255 * t, 255 * t));
export const INFERNO = table(d3.interpolateInferno);
export const CYCLIC = table(d3.interpolateSinebow);

/** A plane as it is turned: the source of every pixel, (row, column) of what is shown first. */
export function turn({ transposed, flipped }, rows, columns) {
  const [height, width] = transposed ? [columns, rows] : [rows, columns];
  const source = (row, column) => {
    const r = flipped[0] ? height - 1 - row : row;
    const c = flipped[1] ? width - 1 - column : column;
    return transposed ? [c, r] : [r, c];
  };
  return { height, width, source };
}

/** Draw values between low and high in the colours of a table. */
export function paint(canvas, values, plane, rows, columns, low, high, colours) {
  const { height, width, source } = turn(plane, rows, columns);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = 256 / (high - low || 1e-9);
  const place = (row, column) => source(row, column)[0] * columns + source(row, column)[1];
  const first = place(0, 0);
  const across = place(0, 1) - first;
  const down = place(1, 0) - first;
  for (let row = 0, i = 0; row < height; row++) {
    let from = first + row * down;
    for (let column = 0; column < width; column++, i++, from += across) {
      const level = (values[from] - low) * scale;
      pixels[i] = colours[level < 0 ? 0 : level > 255 ? 255 : level | 0];
    }
  }
  context.putImageData(image, 0, 0);
}
