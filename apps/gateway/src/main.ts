import 'reflect-metadata';
import { runMain } from '@aura/service';
import { gateway } from './gateway.js';

await runMain(gateway);
