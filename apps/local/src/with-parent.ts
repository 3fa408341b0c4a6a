/**
 * Preloaded into a service that runs in a process of its own: it stops in order when the demo is gone,
 * also when that was killed and could stop nobody.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// The channel must not keep a service alive that has stopped by itself.
process.channel?.unref();
