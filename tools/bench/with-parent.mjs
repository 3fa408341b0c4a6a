// Preloaded into an application that a bench has started: it stops in order when the bench is gone, also when
// that was killed and could stop nobody.
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref(); // it must not keep an application alive that has stopped by itself
