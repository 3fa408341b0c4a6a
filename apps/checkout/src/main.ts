import 'reflect-metadata';
import { runMain } from '@aura/service';
import { checkout } from './checkout.js';

await runMain(checkout);
