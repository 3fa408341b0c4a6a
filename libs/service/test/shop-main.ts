// The shop as a process of its own: for the tests of the command line.
import 'reflect-metadata';
import { runMain } from '../src/index.js';
import { sagaShop } from './saga-shop.js';

await runMain(sagaShop);
