import 'reflect-metadata';
import { runMain } from '@aura/service';
import { delivery } from './delivery.js';

await runMain(delivery);
