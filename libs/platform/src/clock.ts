/** The time, as a port: pure code gets a `Date`, code with I/O asks a `Clock`, tests set one. */
export interface Clock {
  /** Wall clock, UTC. May go back (NTP); never used to order events. */
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
