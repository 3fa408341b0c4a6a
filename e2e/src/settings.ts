import type { SagaLoad } from './saga-chaos/services.js';
import type { OwnName } from './saga-chaos/shop-saga.js';

export type Role = 'orders' | 'stock' | 'naive-stock' | 'shop' | 'payments' | `participant ${OwnName}`;

export type LogSettings =
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'kafka'; readonly brokers: readonly string[]; readonly registryUrl: string };

/** What a process of the crash tests is told, as JSON in `CRASH_TEST_SERVICE`. */
export interface ServiceSettings {
  readonly role: Role;
  readonly databaseUrl: string;
  readonly log: LogSettings;
  /** Of the shop only. */
  readonly load?: SagaLoad;
  /** Of participants in sagas: whom their effects name. */
  readonly replica?: string;
}

/** `redrive`: letters of events whose process was killed while it handled them alone. */
export type ToService = 'stop-load' | 'redrive' | 'stop';

export type FromService =
  | { readonly kind: 'ready' }
  /** Orders whose COMMIT was acknowledged. */
  | { readonly kind: 'committed'; readonly ids: readonly string[] };
