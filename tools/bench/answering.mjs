// The other end of `service-process.mjs`: what a service of a bench is asked over IPC, and answers.

/**
 * Says that it is ready, and answers each question by the function of that name; `stop` is the last. Ends the
 * process then, and also when the bench is gone: one that was killed could stop nobody.
 */
export function answerTo(told) {
  const answer = async ({ id, what, ...how }) => {
    try {
      process.send({ id, answer: await told[what](how) });
    } catch (error) {
      process.send({ id, error: String(error?.stack ?? error) });
    }
    if (what === 'stop') process.disconnect();
  };
  process.on('disconnect', () => process.exit());
  process.on('message', (asked) => void answer(asked));
  process.send({ id: 0 });
}
