import { differenceCiede2000 } from 'culori';
import type { ColourName, Lab } from './analysis.js';

/**
 * Where each name lies, as sRGB: a name is a region, so most have several examples (fresh, faded, in
 * shade). The nearest example by CIEDE2000 (Sharma, Wu, Dalal, 2005) gives the name.
 */
const EXAMPLES: Readonly<Record<ColourName, readonly string[]>> = {
  black: ['#0a0a0a', '#1e1e1e', '#2a2a2c', '#1a1614'],
  white: ['#ffffff', '#f2f2f0', '#e4e4e4', '#e8ebef'],
  grey: ['#808080', '#9a9a9a', '#b4b4b4', '#636363', '#4a4a4a', '#7b8188', '#c6c6c6'],
  navy: ['#000080', '#1b2a4a', '#14213d', '#101c30', '#22305e', '#062634'],
  blue: ['#1f4fd0', '#2a62b8', '#0000ff', '#3d6fb0', '#2d87b3', '#4a6fa0', '#2f5597'],
  'light blue': ['#add8e6', '#8fbce6', '#b8cfe8', '#9ec9ee', '#77a4be', '#87b5d9'],
  teal: ['#008080', '#1e7b7b', '#2a9d8f', '#0f5f63', '#3f9a9c'],
  green: ['#008000', '#2e8b57', '#3a9a48', '#1f5c33', '#6cbf6c', '#14402a', '#55a630'],
  olive: ['#808000', '#6b7132', '#556b2f', '#7a7a4a', '#4f5228'],
  yellow: ['#ffff00', '#f5d930', '#ffe15c', '#f7e68a', '#e8c81c'],
  mustard: ['#d4a017', '#c9971c', '#b8891b', '#e1ad01', '#a67c1e'],
  orange: ['#ff8c00', '#f07a1e', '#e06a20', '#ffa54a', '#d2601a', '#e2672e', '#bc402a'],
  red: ['#ff0000', '#c81e28', '#b22222', '#dc3a34', '#e6705f', '#a3161c'],
  burgundy: ['#800020', '#6d1a30', '#5a1424', '#7b2437', '#451020'],
  pink: ['#ffc0cb', '#f4a0b8', '#ff69b4', '#e88aa0', '#e75480', '#d98a9c'],
  purple: ['#800080', '#6a2c91', '#5b2a86', '#7d3cb5', '#4b1d62'],
  lilac: ['#c8a2c8', '#b9a3d6', '#c9b6e4', '#a78bc4', '#d8c4e8'],
  brown: ['#6b4423', '#7a4a2a', '#5a3a22', '#8b5a2b', '#452c1c', '#654535'],
  camel: ['#c19a6b', '#b98d5a', '#c69c6d', '#a9825a', '#cfa878'],
  beige: ['#e8dcc4', '#f5f5dc', '#ddceb0', '#d2c3a5', '#cbb994', '#eee3d0'],
};

const distance = differenceCiede2000();
const KNOWN = (Object.entries(EXAMPLES) as [ColourName, readonly string[]][]).flatMap(([name, hexes]) =>
  hexes.map((hex) => ({ name, hex })),
);

/** CIEDE2000 between two OKLab colours. */
export function ciede2000(one: Lab, other: Lab): number {
  return distance({ mode: 'oklab', ...one }, { mode: 'oklab', ...other });
}

/** The plain English name of a colour; of two equally near the first in the list. */
export function nameOf(lab: Lab): ColourName {
  let best: { name: ColourName; away: number } = { name: 'grey', away: Number.POSITIVE_INFINITY };
  for (const { name, hex } of KNOWN) {
    const away = distance({ mode: 'oklab', ...lab }, hex);
    if (away < best.away) best = { name, away };
  }
  return best.name;
}
