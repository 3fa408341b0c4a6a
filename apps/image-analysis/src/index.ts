export { imageAnalysis } from './image-analysis.js';
