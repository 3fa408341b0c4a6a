import type { Type } from '@nestjs/common';
import { DeadLettersController } from './dead-letters.controller.js';
import { GroupController } from './group.controller.js';
import { RelayController } from './relay.controller.js';
import { ReplaysController } from './replays.controller.js';
import { SagasController } from './sagas.controller.js';
import { ServiceController, WhoController } from './service.controller.js';

/** The admin API of a service with events (docs/adr/0014): `npm run aura` talks to it. */
export const ADMIN_CONTROLLERS: readonly Type[] = [
  WhoController,
  ServiceController,
  DeadLettersController,
  GroupController,
  RelayController,
  ReplaysController,
  SagasController,
];
