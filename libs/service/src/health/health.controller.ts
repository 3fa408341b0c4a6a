import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { ProblemException } from '../http/problem.js';
import { Health, type CheckResult, type Probe } from './health.js';

interface Healthy {
  readonly status: 'ok';
  readonly checks: Readonly<Record<string, CheckResult>>;
}

/** The probes: 200 with the checks, or a 503 problem whose detail names what is missing. */
@ApiExcludeController()
@Controller('health')
export class HealthController {
  constructor(private readonly health: Health) {}

  @Get('live')
  live(): Promise<Healthy> {
    return this.#answer('live');
  }

  @Get('ready')
  ready(): Promise<Healthy> {
    return this.#answer('ready');
  }

  @Get('started')
  started(): Promise<Healthy> {
    return this.#answer('started');
  }

  async #answer(probe: Probe): Promise<Healthy> {
    const { ok, detail, checks } = await this.health.report(probe);
    if (ok) return { status: 'ok', checks };
    throw new ProblemException({ status: 503, kind: `not-${probe}`, detail, extensions: { checks } });
  }
}
