// From the start of a saga to its decision: four services whose branches do nothing, beside what others offer
// for the same, and the purchase of the real applications.
import { rowOf } from './figures.mjs';
import { peerRow, runPeer, startPeers, warmPeer } from './peers.mjs';
import { benchPurchase } from './purchase.mjs';
import { ended, startSystem } from './saga-system.mjs';

const SECONDS = { full: 10, quick: 2 };
/** Long enough that the code of each system is compiled: at the first requests a saga costs twice as much. */
const WARM_UP = { concurrency: 128, seconds: { full: 15, quick: 1 } };

/** @param {{ cases: ('noop' | 'purchase')[], peers: boolean }} how, and what every bench is given */
export async function benchSagas({ cases, quick, ...how }) {
  const seconds = quick ? SECONDS.quick : SECONDS.full;
  const { concurrency } = WARM_UP;
  const warmUp = { concurrency, seconds: quick ? WARM_UP.seconds.quick : WARM_UP.seconds.full };
  return [
    ...(cases.includes('noop') ? await benchNoop({ seconds, warmUp, ...how }) : []),
    ...(cases.includes('purchase') ? await benchPurchase({ seconds, warmUp, ...how }) : []),
  ];
}

/** Ours and the peers take turns, so that what slows the machine for a while slows all of them. */
async function benchNoop({ servers, runs, seconds, warmUp, say, concurrencies, failing, peers: wanted }) {
  const system = await startSystem(servers, say);
  const peers = wanted ? await startPeers(servers, say) : [];
  try {
    const rows = [];
    say('warming up');
    await system.shop.ask('load', { ...warmUp, fail: 0 });
    await ended(system.shop);
    for (const peer of peers) await warmPeer(peer, warmUp);
    for (const concurrency of concurrencies) {
      const done = [];
      for (let n = 0; n < runs; n++) {
        say(`C=${concurrency}, run ${n + 1} of ${runs}`);
        done.push(await system.shop.ask('load', { concurrency, seconds, fail: failing }));
        await ended(system.shop);
        for (const peer of peers) {
          say(`C=${concurrency}, run ${n + 1} of ${runs}: ${peer.name}`);
          await runPeer(peer, { concurrency, seconds });
        }
      }
      const what = failing > 0 ? `3 no-op branches, ${failing * 100} % refused` : '3 no-op branches';
      const ours = rowOf({ system: 'aura', case: what, concurrency }, done);
      const theirs = peers.map((peer) => peerRow(peer, concurrency));
      rows.push({ ...ours, ...timesDbos(ours, theirs) }, ...theirs);
    }
    return rows;
  } finally {
    for (const peer of peers) await peer.stop();
    await system.stop();
  }
}

/** How many times as many as DBOS in the same run. */
function timesDbos(ours, theirs) {
  const dbos = theirs.find(({ system }) => system === 'dbos')?.perSecond;
  return dbos ? { timesDbos: Number((ours.perSecond / dbos).toPrecision(3)) } : {};
}
