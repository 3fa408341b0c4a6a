// Outlines of garments laid flat and of things that are none. Unit coordinates: x -1..1 from the middle, y
// 0 (top)..1. A shape is a closed path of SVG commands; `ratio` is its height over its width (2 units).

const mirror = (points) => [
  ...points,
  ...points
    .filter(([x]) => x !== 0)
    .toReversed()
    .map(([x, y]) => [-x, y]),
];

/** Right half from the neck down; the left half is its mirror image. */
const HALVES = {
  't-shirt': {
    ratio: 1.05,
    half: [
      [0, 0.08],
      [0.18, 0.05],
      [0.28, 0],
      [0.55, 0.05],
      [1, 0.3],
      [0.84, 0.44],
      [0.6, 0.33],
      [0.6, 0.7],
      [0.62, 1],
    ],
  },
  shirt: {
    ratio: 1.0,
    half: [
      [0, 0.06],
      [0.12, 0],
      [0.25, 0],
      [0.52, 0.06],
      [0.78, 0.4],
      [1, 0.86],
      [0.83, 0.92],
      [0.56, 0.42],
      [0.58, 0.95],
      [0.3, 1],
    ],
  },
  dress: {
    ratio: 1.7,
    half: [
      [0, 0.09],
      [0.18, 0.07],
      [0.26, 0],
      [0.42, 0],
      [0.5, 0.16],
      [0.42, 0.36],
      [0.6, 0.6],
      [0.95, 0.97],
      [0.5, 1],
    ],
  },
  trousers: {
    ratio: 1.8,
    half: [
      [0, 0],
      [0.62, 0],
      [0.7, 0.2],
      [0.78, 0.6],
      [0.8, 1],
      [0.28, 1],
      [0.18, 0.6],
      [0.06, 0.3],
    ],
  },
  skirt: {
    ratio: 1.05,
    half: [
      [0, 0],
      [0.48, 0],
      [0.55, 0.1],
      [0.8, 0.6],
      [1, 0.95],
      [0.5, 1],
    ],
  },
  sweater: {
    ratio: 0.92,
    half: [
      [0, 0.07],
      [0.16, 0.04],
      [0.27, 0],
      [0.56, 0.07],
      [0.82, 0.5],
      [0.95, 0.9],
      [0.72, 0.93],
      [0.58, 0.5],
      [0.57, 0.96],
      [0.3, 1],
    ],
  },
};
export const GARMENTS = Object.keys(HALVES);

/** The outline of a garment: points in unit coordinates, with its height over its width. */
export function garmentOutline(name) {
  const { half, ratio } = HALVES[name];
  return { points: mirror(half), ratio };
}

/** SVG path of an outline put at (x, y), `width` wide, turned by `degrees`. */
export function svgPath({ points, ratio }, place) {
  const [cos, sin] = [Math.cos(place.radians), Math.sin(place.radians)];
  const at = points.map(([px, py]) => {
    const [u, v] = [(px * place.width) / 2, (py - 0.5) * place.width * ratio];
    return `${(place.x + u * cos - v * sin).toFixed(2)} ${(place.y + u * sin + v * cos).toFixed(2)}`;
  });
  return `<path d="M${at.join('L')}Z" stroke-linejoin="round"/>`;
}

const ellipse = (x, y, rx, ry) => `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${ry}"/>`;

/** Things that are no garment, as SVG for a picture of this size. */
export const THINGS = {
  ball: (w, h) => ellipse(w * 0.5, h * 0.55, w * 0.27, w * 0.27),
  'cat-like blob': (w, h) =>
    ellipse(w * 0.45, h * 0.63, w * 0.27, h * 0.2) +
    ellipse(w * 0.68, h * 0.42, w * 0.13, w * 0.13) +
    `<path d="M${w * 0.57} ${h * 0.4}L${w * 0.58} ${h * 0.24}L${w * 0.67} ${h * 0.34}Z"/>` +
    `<path d="M${w * 0.69} ${h * 0.34}L${w * 0.78} ${h * 0.24}L${w * 0.79} ${h * 0.4}Z"/>` +
    `<path d="M${w * 0.2} ${h * 0.62}Q${w * 0.02} ${h * 0.55} ${w * 0.1} ${h * 0.36}"` +
    ` fill="none" stroke="black" stroke-width="${w * 0.05}"/>`,
  pebbles: (w, h) =>
    ellipse(w * 0.3, h * 0.6, w * 0.17, h * 0.11) +
    ellipse(w * 0.66, h * 0.52, w * 0.2, h * 0.13) +
    ellipse(w * 0.52, h * 0.78, w * 0.13, h * 0.08),
  leaf: (w, h) =>
    `<path d="M${w * 0.18} ${h * 0.8}Q${w * 0.2} ${h * 0.25} ${w * 0.82} ${h * 0.2}` +
    `Q${w * 0.75} ${h * 0.78} ${w * 0.18} ${h * 0.8}Z"/>`,
  hills: (w, h) =>
    `<path d="M0 ${h * 0.62}Q${w * 0.3} ${h * 0.42} ${w * 0.55} ${h * 0.6}` +
    `T${w} ${h * 0.55}L${w} ${h}L0 ${h}Z"/>`,
};
