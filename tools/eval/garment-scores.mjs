// How an answer about a garment picture compares with the truth. Pure; the rules are those of the labels'
// description: the first colour is right by name or under a CIEDE2000 of 15; `striped` is right for both
// directions; what was not found where there is a garment counts as wrong in every score.
import { differenceCiede2000 } from 'culori';

const distance = differenceCiede2000();
const PATTERNS = {
  plain: 'PLAIN',
  'striped-horizontal': 'STRIPED',
  'striped-vertical': 'STRIPED',
  striped: 'STRIPED',
  checked: 'CHECKED',
  dotted: 'DOTTED',
  other: 'OTHER',
};

/**
 * Scores of one picture: numbers 0..1, null where a score has no meaning; `notes` say in words what is not
 * right.
 */
export function scorePicture(truth, answer) {
  const present = truth.garment !== null;
  const presence = Number(answer.garment.present === present);
  const score = { file: truth.file, hard: (truth.hard ?? []).length > 0, presence, notes: [] };
  if (presence === 0) score.notes.push(present ? 'garment not found' : 'found a garment where there is none');
  if (!present) return score;
  const colour = firstColour(truth, answer);
  Object.assign(score, colour, {
    paletteF1: paletteF1(truth, answer),
    pattern: Number(answer.garment.present && answer.pattern.kind === PATTERNS[truth.pattern]),
    boxIou: Array.isArray(truth.bbox) ? boxIou(truth.bbox, answer.garment.box) : null,
  });
  if (presence === 1) {
    if (colour.firstColour === 0) score.notes.push(`${answer.palette[0]?.name} for ${truth.colours[0].name}`);
    if (score.pattern === 0) score.notes.push(`${answer.pattern.kind} for ${truth.pattern}`);
  }
  return score;
}

const toRgb = ([r, g, b]) => ({ mode: 'rgb', r: r / 255, g: g / 255, b: b / 255 });

function firstColour(truth, answer) {
  const [wanted, given] = [truth.colours[0], answer.palette[0]];
  if (wanted === undefined) return {};
  const name = Number(given?.name === wanted.name);
  const seen = wanted.srgb_in_picture ?? wanted.srgb_cloth;
  const away =
    given === undefined || seen === undefined ? Number.POSITIVE_INFINITY : distance(given.hex, toRgb(seen));
  return {
    firstColour: Number(name === 1 || away < 15),
    firstColourName: name,
    firstColourUnder15: Number(away < 15),
    firstColourUnder10: Number(away < 10),
  };
}

/**
 * F1 of the palettes: a colour is found once by an answer of its name or under 15; the nearest pairs first.
 */
function paletteF1(truth, answer) {
  const pairs = truth.colours.flatMap((wanted, w) =>
    answer.palette.map((given, g) => {
      const seen = wanted.srgb_in_picture ?? wanted.srgb_cloth;
      const away = seen === undefined ? Number.POSITIVE_INFINITY : distance(given.hex, toRgb(seen));
      return { w, g, away, right: given.name === wanted.name || away < 15 };
    }),
  );
  const [usedW, usedG] = [new Set(), new Set()];
  for (const { w, g, right } of pairs.toSorted((p, q) => p.away - q.away)) {
    if (!right || usedW.has(w) || usedG.has(g)) continue;
    usedW.add(w);
    usedG.add(g);
  }
  return (2 * usedW.size) / Math.max(1, truth.colours.length + answer.palette.length);
}

/** Intersection over union of [left, top, right, bottom] and a box; 0 without a box. */
export function boxIou([left, top, right, bottom], box) {
  if (box === null) return 0;
  const w = Math.min(right, box.right) - Math.max(left, box.left);
  const h = Math.min(bottom, box.bottom) - Math.max(top, box.top);
  const both = Math.max(0, w) * Math.max(0, h);
  const either = (right - left) * (bottom - top) + (box.right - box.left) * (box.bottom - box.top) - both;
  return both / either;
}

const SCORES = [
  'presence',
  'firstColour',
  'firstColourName',
  'firstColourUnder15',
  'firstColourUnder10',
  'paletteF1',
  'pattern',
  'boxIou',
];

/** Means over all pictures, over the easy and over the hard ones. */
export function summarise(results) {
  return {
    all: meansOf(results),
    easy: meansOf(results.filter((r) => !r.hard)),
    hard: meansOf(results.filter((r) => r.hard)),
    wrong: results.filter((r) => r.notes.length > 0).map(({ file, notes }) => ({ file, notes })),
  };
}

function meansOf(results) {
  return {
    pictures: results.length,
    ...Object.fromEntries(SCORES.map((key) => [key, mean(results.map((r) => r[key]))])),
    medianMs: median(results.map((r) => r.ms)),
  };
}

function mean(values) {
  const known = values.filter((v) => typeof v === 'number');
  return known.length === 0 ? null : Number((known.reduce((sum, v) => sum + v, 0) / known.length).toFixed(4));
}

function median(values) {
  const known = values.filter((v) => typeof v === 'number').toSorted((p, q) => p - q);
  return known.length === 0 ? null : Number(known[Math.floor(known.length / 2)].toFixed(1));
}
