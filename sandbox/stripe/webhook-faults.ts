import { createRandom, deriveSeed, type Random } from '../random.ts';

/** What goes wrong with webhooks, each as a chance in percent for every delivery. */
export interface WebhookFaultSettings {
  /** It comes a second time. */
  duplicatePercent: number;
  /** It comes after the one that follows it. */
  reorderPercent: number;
  /** Somebody who does not know the secret sends a changed copy as well. */
  forgePercent: number;
}

export const NO_WEBHOOK_FAULTS: WebhookFaultSettings = {
  duplicatePercent: 0,
  reorderPercent: 0,
  forgePercent: 0,
};

/** Draws them from the seed. */
export class WebhookFaults {
  readonly #random: Random;
  settings: WebhookFaultSettings = { ...NO_WEBHOOK_FAULTS };

  constructor(seed: number) {
    this.#random = createRandom(deriveSeed(seed, 'webhook-faults'));
  }

  /** Replaces the settings given; the others stay. */
  set(changed: Partial<WebhookFaultSettings>): void {
    this.settings = { ...this.settings, ...changed };
  }

  draw(fault: keyof WebhookFaultSettings): boolean {
    const percent = this.settings[fault];
    return percent > 0 && this.#random() * 100 < percent;
  }
}
