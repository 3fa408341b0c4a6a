import 'reflect-metadata';
import { runMain } from '@aura/service';
import { inventory } from './inventory.js';

await runMain(inventory);
