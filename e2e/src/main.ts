/** One process of the crash tests; its parent tells it what it is, and kills it. */
import 'reflect-metadata';
import { startNaiveStock } from './naive-stock.js';
import { startOrders } from './orders.js';
import type { FromService, ServiceSettings, ToService } from './settings.js';
import { startParticipant, startShop } from './saga-chaos/services.js';
import { OWN_PARTICIPANTS } from './saga-chaos/shop-saga.js';
import { startStock } from './stock.js';

/** A parent that was killed itself leaves nobody behind. */
const orphaned = (): void => process.exit(1);
process.on('disconnect', orphaned);

const settings = JSON.parse(process.env['CRASH_TEST_SERVICE'] ?? '{}') as ServiceSettings;
const service = await start();
process.on('message', (message: ToService) => void obey(message));
tell({ kind: 'ready' });

interface Started {
  stopLoad?(): Promise<void>;
  redrive?(): Promise<void>;
  close(): Promise<void>;
}

async function start(): Promise<Started> {
  if (settings.role === 'orders')
    return startOrders(settings, (id) => tell({ kind: 'committed', ids: [id] }));
  if (settings.role === 'shop') return startShop(settings);
  if (settings.role === 'payments') {
    // All of an app: the others start, and come back after a kill, without it.
    const { startPayments } = await import('./saga-chaos/payments.js');
    return startPayments(settings);
  }
  const participant = OWN_PARTICIPANTS.find((name) => settings.role === `participant ${name}`);
  if (participant) return startParticipant(settings, participant);
  return settings.role === 'stock' ? startStock(settings) : startNaiveStock(settings);
}

async function obey(message: ToService): Promise<void> {
  if (message === 'redrive') return service.redrive?.();
  await service.stopLoad?.();
  if (message === 'stop-load') return;
  await service.close();
  // No exit here: a service that has stopped well leaves nothing open that would keep its process alive.
  process.off('disconnect', orphaned);
  process.disconnect();
}

function tell(message: FromService): void {
  if (process.connected) process.send?.(message);
}
