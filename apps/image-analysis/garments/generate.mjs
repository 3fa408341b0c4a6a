// Draws the garment set: `node apps/image-analysis/garments/generate.mjs [--seed N] [--out DIR]`.
// The same seed draws the same pictures. Seed 1 is committed beside this file; any other is a hold-out set.
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { BACKGROUNDS, DYES, HARD_BACKGROUNDS, PATTERNS, randomFrom, smoothNoise } from './paint.mjs';
import { garmentOutline, GARMENTS, svgPath, THINGS } from './shapes.mjs';

const PATTERN_ORDER = [
  'plain',
  'striped-horizontal',
  'plain',
  'checked',
  'plain',
  'dotted',
  'plain',
  'striped-vertical',
];
const GARMENT_PICTURES = 42;
const NAMES = Object.keys(DYES);

/** What one picture shows, decided before anything is painted. */
function planGarment(n, random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const pattern = n % 21 === 20 ? 'other' : PATTERN_ORDER[n % PATTERN_ORDER.length];
  const garment = GARMENTS[(n * 5 + Math.floor(n / 6)) % GARMENTS.length];
  const background = ['plain wall', 'gradient', 'wood', 'tiles', 'foliage', 'carpet'][
    (n + Math.floor(n / 6)) % 6
  ];
  const first = NAMES[(n * 7) % NAMES.length];
  const size = 220 + Math.floor(random() * 160);
  const [width, height] = [size, Math.round(size * (0.95 + random() * 0.4))];
  const light = random() < 0.3 ? 0.45 : 0.15;
  const tilt = random() < 0.25 ? (random() < 0.5 ? -1 : 1) * (8 + random() * 12) : (random() - 0.5) * 6;
  const noise = random() < 0.2 ? 12 : 3;
  const small = random() < 0.15;
  return {
    n,
    garment,
    pattern,
    background,
    width,
    height,
    light,
    tilt,
    noise,
    small,
    folds: random() < 0.3 ? 0.14 : 0.06,
    colours: pattern === 'plain' ? [dye(first, pick)] : [dye(first, pick), dye(partner(first, random), pick)],
    period: size * (0.05 + random() * 0.05),
    duty: 0.28 + random() * 0.14,
  };
}

const dye = (name, pick) => ({ name, srgb: pick(DYES[name]) });
const luma = ([r, g, b]) => 0.3 * r + 0.59 * g + 0.11 * b;

/** A second colour that can be told from the first. */
function partner(first, random) {
  const far = NAMES.filter((name) => {
    const [p, q] = [DYES[name][0], DYES[first][0]];
    return name !== first && Math.abs(luma(p) - luma(q)) > 55;
  });
  return far[Math.floor(random() * far.length)];
}

function hardReasons(plan) {
  const reasons = [];
  if (HARD_BACKGROUNDS.has(plan.background)) reasons.push('textured background');
  if (Math.abs(plan.tilt) > 7) reasons.push('tilted');
  if (plan.light > 0.3) reasons.push('strong light from one side');
  if (plan.noise > 8) reasons.push('noisy');
  if (plan.small) reasons.push('small');
  if (plan.folds > 0.1) reasons.push('deep folds');
  return reasons;
}

/** How much of each pixel the drawn outline covers, 0..255. */
async function coverage(svg, width, height) {
  const document = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${svg}</svg>`;
  return sharp(Buffer.from(document)).ensureAlpha().extractChannel(3).raw().toBuffer();
}

function placeOf(plan, outline) {
  const fit = Math.min(plan.width * 0.78, (plan.height * 0.82) / outline.ratio) * (plan.small ? 0.55 : 1);
  return { x: plan.width * 0.5, y: plan.height * 0.51, width: fit, radians: (plan.tilt * Math.PI) / 180 };
}

/** Paints and measures; gives the picture's bytes and its line of the truth. */
async function paintGarment(plan, random) {
  const { width, height } = plan;
  const outline = garmentOutline(plan.garment);
  const place = placeOf(plan, outline);
  const covered = await coverage(svgPath(outline, place), width, height);
  const cloth = clothOf(plan, place, random);
  const canvas = paint(plan, covered, cloth.at, random);
  const truth = truthOf(plan, canvas, covered, cloth.index);
  return { canvas, truth };
}

/** Colour of the cloth at a place of the picture, folds included, and which of its colours that is. */
function clothOf({ pattern, period, duty, colours, folds }, place, random) {
  const which = PATTERNS[pattern]({ period, duty, random });
  const fold = smoothNoise(random);
  const [cos, sin] = [Math.cos(place.radians), Math.sin(place.radians)];
  const index = (x, y) => {
    const [dx, dy] = [x - place.x, y - place.y];
    return which(dx * cos + dy * sin, dy * cos - dx * sin);
  };
  const at = (x, y) => {
    const t = index(x, y);
    const other = colours[1] ?? colours[0];
    const by = 1 + folds * fold(x / 18 + y / 70, y / 60);
    return colours[0].srgb.map((c, k) => (c * (1 - t) + other.srgb[k] * t) * by);
  };
  return { at, index };
}

/** The whole picture as raw RGB: background, soft shadow, cloth, light from one side, noise. */
function paint(plan, covered, clothAt, random) {
  const { width, height } = plan;
  const ground = BACKGROUNDS[plan.background](random, width, height);
  const [lx, ly] = [random() - 0.5, random() - 0.5];
  const canvas = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const cover = (covered[y * width + x] ?? 0) / 255;
      const shadow = 1 - 0.18 * ((covered[Math.max(0, y - 3) * width + Math.max(0, x - 2)] ?? 0) / 255);
      const cloth = cover > 0 ? clothAt(x, y) : [0, 0, 0];
      const light = 1 + 2 * plan.light * (lx * (x / width - 0.5) + ly * (y / height - 0.5));
      const grain = plan.noise * (random() + random() - 1);
      for (let c = 0; c < 3; c++) {
        const under = ground(x, y)[c] * shadow;
        canvas[(y * width + x) * 3 + c] = clamp((under * (1 - cover) + cloth[c] * cover) * light + grain);
      }
    }
  return canvas;
}

const clamp = (value) => Math.max(0, Math.min(255, Math.round(value)));

function truthOf(plan, canvas, covered, index) {
  const { width, colours } = plan;
  const seen = colours.map(() => []);
  let [left, top, right, bottom] = [plan.width, plan.height, 0, 0];
  for (const [i, cover] of covered.entries()) {
    if (cover < 128) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, top, right, bottom] = [
      Math.min(left, x),
      Math.min(top, y),
      Math.max(right, x + 1),
      Math.max(bottom, y + 1),
    ];
    const t = index(x, y);
    if (t === 0 || t === 1) seen[t]?.push(i);
  }
  const total = seen.reduce((sum, list) => sum + list.length, 0);
  const described = colours
    .map(({ name, srgb }, k) => ({
      name,
      share: Number((seen[k].length / total).toFixed(3)),
      srgb_cloth: srgb,
      srgb_in_picture: [0, 1, 2].map((c) => median(seen[k].map((i) => canvas[3 * i + c]))),
    }))
    .toSorted((p, q) => q.share - p.share);
  const { garment, pattern, background } = plan;
  return {
    garment,
    pattern,
    colours: described,
    background,
    bbox: [left, top, right, bottom],
    hard: hardReasons(plan),
  };
}

const median = (values) => values.toSorted((p, q) => p - q)[Math.floor(values.length / 2)];

/** Pictures without a garment: bare backgrounds first, then things. */
const EMPTY = [
  ['sky'],
  ['plain wall'],
  ['gradient'],
  ['wood'],
  ['tiles'],
  ['foliage'],
  ['carpet'],
  ['sky', 'hills', [70, 110, 60]],
  ['plain wall', 'ball', [200, 60, 40]],
  ['wood', 'cat-like blob', [60, 56, 54]],
  ['plain wall', 'cat-like blob', [190, 130, 70]],
  ['gradient', 'leaf', [60, 120, 50]],
  ['carpet', 'pebbles', [160, 160, 165]],
];

async function paintEmpty([background, thing, colour], random) {
  const [width, height] = [280 + Math.floor(random() * 60), 240 + Math.floor(random() * 60)];
  const plan = { width, height, background, light: 0.2, noise: 4 };
  const svg = thing === undefined ? '' : THINGS[thing](width, height);
  const fur = smoothNoise(random);
  const canvas = paint(
    plan,
    await coverage(svg, width, height),
    (x, y) => colour.map((c) => c * (1 + 0.1 * fur(x / 4, y / 4))),
    random,
  );
  const hard = thing === undefined ? [] : [`no garment: ${thing}`];
  return { canvas, plan, truth: { garment: null, pattern: null, colours: [], background, bbox: null, hard } };
}

async function save(folder, file, canvas, width, height) {
  const raw = { raw: { width, height, channels: 3 } };
  await sharp(canvas, raw).jpeg({ quality: 82 }).toFile(join(folder, file));
}

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, out: { type: 'string' } },
});
const seed = Number(values.seed);
const folder = values.out ?? fileURLToPath(new URL('.', import.meta.url));
await mkdir(folder, { recursive: true });
const garments = [];
for (let n = 0; n < GARMENT_PICTURES; n++) {
  const random = randomFrom(seed * 1000 + n);
  const plan = planGarment(n + (seed - 1) * 11, random);
  const { canvas, truth } = await paintGarment(plan, random);
  const file = `${String(n + 1).padStart(2, '0')}-${truth.garment}-${truth.pattern}.jpg`;
  await save(folder, file, canvas, plan.width, plan.height);
  garments.push({ file, ...truth });
}
for (const [n, scene] of EMPTY.entries()) {
  const { canvas, plan, truth } = await paintEmpty(scene, randomFrom(seed * 1000 + 500 + n));
  const file = `${GARMENT_PICTURES + n + 1}-none-${(scene[1] ?? scene[0]).replaceAll(' ', '-')}.jpg`;
  await save(folder, file, canvas, plan.width, plan.height);
  garments.push({ file, ...truth });
}
await writeFile(join(folder, 'truth.json'), `${JSON.stringify({ seed, garments }, null, 1)}\n`);
console.log(`${garments.length} pictures of seed ${seed} in ${folder}`);
