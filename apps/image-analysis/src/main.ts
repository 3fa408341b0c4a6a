import 'reflect-metadata';
import { runMain } from '@aura/service';
import { imageAnalysis } from './image-analysis.js';

await runMain(imageAnalysis);
