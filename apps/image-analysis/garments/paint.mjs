// How cloth and backgrounds look, as functions of a place: everything that is random comes from `random`.

/** mulberry32: a small generator with a seed, good enough for pictures. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const ease = (t) => t * t * (3 - 2 * t);

/** Smooth noise -1..1 over the plane, the same at the same place. */
export function smoothNoise(random) {
  const salt = Math.floor(random() * 1e9);
  const value = (x, y) => {
    let h = Math.imul(x, 374761393) + Math.imul(y, 668265263) + salt;
    h = Math.imul(h ^ (h >>> 13), 1274126177);
    return ((h ^ (h >>> 16)) >>> 0) / 2147483648 - 1;
  };
  return (x, y) => {
    const [x0, y0] = [Math.floor(x), Math.floor(y)];
    const [fx, fy] = [ease(x - x0), ease(y - y0)];
    const top = value(x0, y0) * (1 - fx) + value(x0 + 1, y0) * fx;
    const bottom = value(x0, y0 + 1) * (1 - fx) + value(x0 + 1, y0 + 1) * fx;
    return top * (1 - fy) + bottom * fy;
  };
}

/** As dyed, three of each name where it has a range. */
export const DYES = {
  black: [
    [20, 20, 22],
    [28, 27, 26],
  ],
  white: [
    [245, 245, 243],
    [236, 238, 240],
  ],
  grey: [
    [128, 130, 132],
    [165, 165, 163],
    [92, 94, 98],
  ],
  navy: [
    [24, 34, 72],
    [18, 28, 58],
  ],
  blue: [
    [40, 88, 190],
    [30, 110, 200],
    [60, 105, 165],
  ],
  'light blue': [
    [150, 195, 235],
    [170, 208, 232],
  ],
  teal: [
    [0, 124, 128],
    [28, 140, 138],
  ],
  green: [
    [40, 140, 70],
    [24, 100, 56],
    [90, 170, 80],
  ],
  olive: [
    [107, 110, 50],
    [88, 92, 48],
  ],
  yellow: [
    [248, 220, 60],
    [240, 215, 90],
  ],
  mustard: [
    [205, 155, 35],
    [190, 142, 30],
  ],
  orange: [
    [240, 125, 35],
    [232, 110, 30],
  ],
  red: [
    [200, 30, 40],
    [215, 50, 45],
  ],
  burgundy: [
    [112, 22, 44],
    [92, 20, 36],
  ],
  pink: [
    [240, 150, 180],
    [245, 180, 195],
  ],
  purple: [
    [105, 45, 140],
    [90, 40, 120],
  ],
  lilac: [
    [195, 170, 220],
    [180, 155, 210],
  ],
  brown: [
    [105, 68, 40],
    [88, 56, 34],
  ],
  camel: [
    [190, 148, 100],
    [182, 138, 92],
  ],
  beige: [
    [222, 206, 178],
    [212, 196, 165],
  ],
};

/** Which colour (0 = the first) a place of the cloth has. u, v in pixels along and down the garment. */
export const PATTERNS = {
  plain: () => () => 0,
  'striped-horizontal':
    ({ period, duty }) =>
    (u, v) =>
      modulo(v, period) < duty * period ? 1 : 0,
  'striped-vertical':
    ({ period, duty }) =>
    (u) =>
      modulo(u, period) < duty * period ? 1 : 0,
  checked:
    ({ period, duty }) =>
    (u, v) => {
      const crossed = (modulo(u, period) < duty * period) + (modulo(v, period) < duty * period);
      return crossed / 2;
    },
  dotted:
    ({ period, duty }) =>
    (u, v) => {
      const row = Math.floor(v / period);
      const [x, y] = [
        modulo(u + (row % 2) * period * 0.5, period) - period / 2,
        modulo(v, period) - period / 2,
      ];
      return Math.hypot(x, y) < (0.2 + 0.25 * duty) * period ? 1 : 0;
    },
  other: ({ period, random }) => {
    const noise = smoothNoise(random);
    return (u, v) => (noise(u / (period * 0.8), v / (period * 0.8)) > 0.25 ? 1 : 0);
  },
};

function modulo(value, by) {
  return ((value % by) + by) % by;
}

const shade = (colour, by) => colour.map((c) => c * by);
const mix = (one, other, t) => one.map((c, k) => c * (1 - t) + other[k] * t);
const pick = (random, list) => list[Math.floor(random() * list.length)];

/**
 * Backgrounds: each makes a function of the place that gives linear-looking sRGB. `hard` says why one is
 * hard.
 */
export const BACKGROUNDS = {
  'plain wall': (random) => {
    const wall = pick(random, [
      [214, 210, 202],
      [236, 234, 230],
      [186, 198, 204],
      [205, 190, 170],
      [120, 128, 132],
    ]);
    return () => wall;
  },
  gradient: (random, w, h) => {
    const [one, other] = [
      pick(random, [
        [230, 230, 235],
        [190, 205, 220],
      ]),
      pick(random, [
        [150, 160, 175],
        [200, 180, 160],
      ]),
    ];
    return (x, y) => mix(one, other, 0.7 * (y / h) + 0.3 * (x / w));
  },
  wood: (random) => {
    const noise = smoothNoise(random);
    const plank = pick(random, [
      [150, 112, 76],
      [178, 140, 100],
      [110, 84, 62],
    ]);
    return (x, y) => {
      const grain = 0.07 * Math.sin(y / 2.3 + 5 * noise(x / 60, y / 14)) + 0.05 * noise(x / 25, y / 2);
      return shade(plank, modulo(y, 64) < 1.6 ? 0.55 : 1 + grain);
    };
  },
  tiles: (random) => {
    const noise = smoothNoise(random);
    const tile = pick(random, [
      [225, 228, 228],
      [180, 190, 196],
      [214, 200, 184],
    ]);
    return (x, y) =>
      modulo(x, 52) < 2 || modulo(y, 52) < 2
        ? shade(tile, 0.72)
        : shade(tile, 1 + 0.03 * noise(Math.floor(x / 52) * 7.3, Math.floor(y / 52) * 5.1));
  },
  foliage: (random) => {
    const [coarse, fine] = [smoothNoise(random), smoothNoise(random)];
    return (x, y) => {
      const t = 0.5 + 0.35 * coarse(x / 16, y / 13) + 0.25 * fine(x / 5, y / 6);
      return mix([22, 48, 18], [120, 160, 66], Math.min(1, Math.max(0, t)));
    };
  },
  carpet: (random) => {
    const [coarse, fine] = [smoothNoise(random), smoothNoise(random)];
    const pile = pick(random, [
      [140, 132, 126],
      [120, 90, 88],
      [92, 104, 122],
    ]);
    return (x, y) => shade(pile, 1 + 0.1 * fine(x / 1.7, y / 1.7) + 0.06 * coarse(x / 20, y / 20));
  },
  sky: (random, w, h) => {
    const noise = smoothNoise(random);
    return (x, y) => {
      const cloud = Math.max(0, noise(x / 60, y / 30) + 0.5 * noise(x / 22, y / 14) - 0.1);
      return mix(mix([92, 146, 214], [190, 214, 238], y / h), [250, 250, 250], Math.min(1, cloud));
    };
  },
};
export const HARD_BACKGROUNDS = new Set(['wood', 'foliage', 'carpet', 'tiles']);
