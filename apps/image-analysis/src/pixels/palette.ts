import { differenceCiede2000, formatHex } from 'culori';
import type { Lab, PaletteColour, PatternKind } from './analysis.js';
import { kMeans } from './cluster.js';
import { quantile, type LabImage } from './colour.js';
import { area, erode, pixelsOf, type Mask } from './mask.js';
import { nameOf } from './names.js';

/** More points than this say nothing new about a palette. */
const MOST_POINTS = 6000;
const FIRST_CLUSTERS = 9;
/** Light and folds change a cloth's lightness, hardly its hue: lightness counts for less while clustering. */
const LIGHTNESS_WEIGHT = 0.6;
/**
 * CIEDE2000 under which two clusters are one cloth; Kl = 2 as the textile industry has it, for the same
 * reason.
 */
const ONE_CLOTH = 9;
const clothDistance = differenceCiede2000(2, 1, 1);
/** A smaller share is a button, a seam or an edge. */
const LEAST_SHARE = 0.045;
const MOST_COLOURS = 6;

interface Group {
  readonly pixels: number[];
  readonly lab: Lab;
}

/**
 * The colours inside `mask`, by falling share. Edges of the mask, where cloth and background mix, are left
 * out.
 */
export function paletteOf(image: LabImage, mask: Mask, pattern: PatternKind): PaletteColour[] {
  const inner = erode(mask, 1);
  const all = pixelsOf(area(inner) > area(mask) / 3 ? inner : mask);
  if (all.length === 0) return [];
  const step = Math.max(1, Math.floor(all.length / MOST_POINTS));
  const pixels = Array.from(all.filter((_, k) => k % step === 0));
  const separate = withoutMixtures(merge(firstGroups(image, pixels), image));
  const groups = pattern === 'CHECKED' ? withoutCrossings(separate) : separate;
  const kept = groups.filter((g, k) => k === 0 || g.pixels.length >= LEAST_SHARE * pixels.length);
  const top = kept.slice(0, MOST_COLOURS);
  const total = top.reduce((sum, g) => sum + g.pixels.length, 0);
  return top.map(({ lab, pixels: own }) => ({
    name: nameOf(lab),
    hex: formatHex({ mode: 'oklab', ...lab }),
    lab,
    share: own.length / total,
  }));
}

function firstGroups(image: LabImage, pixels: readonly number[]): Group[] {
  const points = new Float32Array(pixels.length * 3);
  for (const [k, i] of pixels.entries()) {
    points[3 * k] = (image.l[i] ?? 0) * LIGHTNESS_WEIGHT;
    points[3 * k + 1] = image.a[i] ?? 0;
    points[3 * k + 2] = image.b[i] ?? 0;
  }
  const { of, k } = kMeans(points, 3, FIRST_CLUSTERS);
  const groups = Array.from({ length: k }, (): number[] => []);
  for (const [n, i] of pixels.entries()) groups[of[n] ?? 0]?.push(i);
  return groups.filter((own) => own.length > 0).map((own) => group(own, image));
}

function group(pixels: number[], image: LabImage): Group {
  const median = (plane: Float32Array): number =>
    quantile(
      pixels.map((i) => plane[i] ?? 0),
      0.5,
    );
  return { pixels, lab: { l: median(image.l), a: median(image.a), b: median(image.b) } };
}

const bySize = (groups: Group[]): Group[] => groups.toSorted((g, h) => h.pixels.length - g.pixels.length);

/** Joins the two nearest groups as long as they may be one cloth. */
function merge(groups: Group[], image: LabImage): Group[] {
  for (;;) {
    let best: { away: number; g: Group; h: Group } | null = null;
    for (const [n, g] of groups.entries())
      for (const h of groups.slice(n + 1)) {
        const away = clothDistance({ mode: 'oklab', ...g.lab }, { mode: 'oklab', ...h.lab });
        if (away < (best?.away ?? ONE_CLOTH)) best = { away, g, h };
      }
    if (best === null) return bySize(groups);
    const { g, h } = best;
    groups = [...groups.filter((x) => x !== g && x !== h), group([...g.pixels, ...h.pixels], image)];
  }
}

/** Gives groups that are only the blur between two larger ones to the nearer of these. */
function withoutMixtures(groups: readonly Group[]): Group[] {
  const result: Group[] = [];
  for (const g of groups) {
    const parents = result.flatMap((p, n) => result.slice(n + 1).map((q) => [p, q] as const));
    const mixed = parents.find(([p, q]) => isBetween(g, p, q));
    if (mixed === undefined) {
      result.push(g);
      continue;
    }
    const [p, q] = mixed;
    const nearer = gap(g.lab, p.lab) < gap(g.lab, q.lab) ? p : q;
    result[result.indexOf(nearer)] = { lab: nearer.lab, pixels: [...nearer.pixels, ...g.pixels] };
  }
  return bySize(result);
}

/**
 * In a check, where two stripes cross lies a tone half-way between the dyes: half of it belongs to each of
 * them.
 */
function withoutCrossings(groups: Group[]): Group[] {
  for (const middle of groups) {
    const others = groups.filter((g) => g !== middle && g.pixels.length > 0.3 * middle.pixels.length);
    for (const [n, p] of others.entries())
      for (const q of others.slice(n + 1)) {
        const [toP, toQ, all] = [gap(middle.lab, p.lab), gap(middle.lab, q.lab), gap(p.lab, q.lab)];
        if (toP + toQ > 1.25 * all || Math.min(toP, toQ) < 0.25 * all) continue;
        const half = Math.floor(middle.pixels.length / 2);
        return bySize([
          ...groups.filter((g) => g !== middle && g !== p && g !== q),
          { lab: p.lab, pixels: [...p.pixels, ...middle.pixels.slice(0, half)] },
          { lab: q.lab, pixels: [...q.pixels, ...middle.pixels.slice(half)] },
        ]);
      }
  }
  return groups;
}

const gap = (p: Lab, q: Lab): number => Math.hypot(p.l - q.l, p.a - q.a, p.b - q.b);

function isBetween(g: Group, p: Group, q: Group): boolean {
  const smaller = Math.min(p.pixels.length, q.pixels.length);
  if (g.pixels.length > 0.7 * smaller) return false;
  const detour = g.pixels.length > 0.35 * smaller ? 1.06 : 1.15;
  return gap(g.lab, p.lab) + gap(g.lab, q.lab) < detour * gap(p.lab, q.lab);
}
