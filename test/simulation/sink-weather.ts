import { HOUR_MS } from '../../src/platform/clock.ts';
import type { World } from './world.ts';

/** Begins the outage of OpenMeter's sink in its round, and ends it when its time is over; and lets Stripe's summaries stand. */
export class SinkWeather {
  readonly #world: World;
  #endMs: number | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  get isOut(): boolean {
    return this.#endMs !== null;
  }

  change(round: number): void {
    const { openMeter, stripe, profile, clock } = this.#world;
    if (round === profile.summariesStanding?.fromRound) stripe.setSummariesStanding(true);
    if (round === profile.summariesStanding?.untilRound) stripe.setSummariesStanding(false);
    if (profile.sinkOutage === null) return;
    const { fromRound, hours, ...outage } = profile.sinkOutage;
    if (round === fromRound) {
      this.#endMs = clock.nowMs() + hours * HOUR_MS;
      openMeter.setSinkOutage(outage);
    } else if (this.#endMs !== null && clock.nowMs() >= this.#endMs) {
      this.#endMs = null;
      openMeter.setSinkOutage(null);
    }
  }
}
