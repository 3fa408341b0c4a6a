import 'reflect-metadata';
import { runMain } from '@aura/service';
import { payments } from './payments.js';

await runMain(payments);
