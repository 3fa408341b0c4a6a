/** The order in which a service stops: what lets work in first, what work needs last. */
export const STOP_STAGES = ['http', 'consumers', 'work', 'relay', 'producer', 'pools', 'telemetry'] as const;
export type StopStage = (typeof STOP_STAGES)[number];

/**
 * Ordered shutdown: `add` in any order, `stop` runs stage after stage, the parts of one stage side by side.
 *
 * Guarantees: runs once, whoever calls it and however often; a part that fails or exceeds `timeoutMs` is
 * reported and does not keep the later stages from stopping.
 */
export class Shutdown {
  readonly #parts: { stage: StopStage; name: string; stop: () => Promise<unknown> }[] = [];
  #stopped: Promise<void> | undefined;

  constructor(
    private readonly onError: (part: string, error: unknown) => void,
    private readonly timeoutMs = 10_000,
  ) {}

  add(stage: StopStage, name: string, stop: () => Promise<unknown>): void {
    this.#parts.push({ stage, name, stop });
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    for (const stage of STOP_STAGES)
      await Promise.all(
        this.#parts.filter((p) => p.stage === stage).map((p) => this.#stopPart(p.name, p.stop)),
      );
  }

  async #stopPart(name: string, stop: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${name} did not stop within ${this.timeoutMs} ms`)),
        this.timeoutMs,
      );
    });
    try {
      await Promise.race([stop(), late]);
    } catch (error) {
      this.onError(name, error);
    } finally {
      clearTimeout(timer);
    }
  }
}
