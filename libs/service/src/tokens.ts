/**
 * What a service's providers may inject beside classes. By class: `Shutdown` (add your parts, by stage),
 * `Health` (add your checks), `EventStreams`, `ServiceTokens`, and, with `databaseModule`, TypeORM's
 * `DataSource` and `EntityManager`.
 */

/** The service's frozen configuration: `@Inject(CONFIG) config: Config<typeof settings>`. */
export const CONFIG = Symbol('aura.config');
/** `@Inject(LOGGER) logger: Logger` of @aura/platform. */
export const LOGGER = Symbol('aura.logger');
/** `@Inject(CLOCK) clock: Clock` of @aura/platform. */
export const CLOCK = Symbol('aura.clock');

/**
 * Aborted when the start is no longer wanted: for providers that wait. Not exported: apps don't wait in
 * factories.
 */
export const START_SIGNAL = Symbol('aura.start-signal');
