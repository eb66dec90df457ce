import type { AzureStandIn } from './azure/azure-stand-in.ts';
import type { SandboxFaultSettings } from './fault-settings.ts';
import { type NetworkFaultSettings, NetworkFaults, NO_NETWORK_FAULTS } from './network-faults.ts';
import { NO_FAULTS, type OpenMeterFaults } from './openmeter/faults.ts';
import type { SinkOutage } from './openmeter/sink.ts';
import type { OpenMeterStandIn } from './openmeter/stand-in.ts';
import type { StripeStandIn } from './stripe/stand-in.ts';
import { NO_WEBHOOK_FAULTS, type WebhookFaultSettings } from './stripe/webhook-faults.ts';

export const SYSTEMS = ['azure', 'openMeter', 'stripe'] as const;
export type SystemName = (typeof SYSTEMS)[number];

/** Without its fields of undefined, which would overwrite what is set. */
function given<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

export interface SwitchedParts {
  seed: number;
  azure: AzureStandIn;
  openMeter: OpenMeterStandIn;
  stripe: StripeStandIn;
  /** How far each system's clock is off, read at every use. */
  clockSkewMs: Record<SystemName, number>;
}

/** Every fault of the sandbox behind one switchboard. */
export class FaultSwitches {
  readonly networks: Record<SystemName, NetworkFaults>;
  readonly #parts: SwitchedParts;
  /** Makes a system's server listen, or not. */
  #setDown: (system: SystemName, down: boolean) => Promise<void> = async () => {};

  constructor(parts: SwitchedParts) {
    this.#parts = parts;
    const network = (system: SystemName) => new NetworkFaults(parts.seed, system);
    this.networks = {
      azure: network('azure'),
      openMeter: network('openMeter'),
      stripe: network('stripe'),
    };
  }

  onDown(setDown: (system: SystemName, down: boolean) => Promise<void>): void {
    this.#setDown = setDown;
  }

  /** Switches what is given; resolves when it holds. */
  async set(settings: SandboxFaultSettings): Promise<void> {
    const { azure, openMeter, stripe, clockSkewMs } = this.#parts;
    for (const system of SYSTEMS) {
      const { network, clockSkewMs: skewMs } = settings[system] ?? {};
      if (skewMs !== undefined) clockSkewMs[system] = skewMs;
      if (network === undefined) continue;
      this.networks[system].set(given(network) as Partial<NetworkFaultSettings>);
      if (network.down !== undefined) await this.#setDown(system, network.down);
    }
    if (settings.azure !== undefined) {
      const { network: _network, clockSkewMs: _skewMs, ...own } = settings.azure;
      azure.setFaults(given(own) as Parameters<AzureStandIn['setFaults']>[0]);
    }
    if (settings.openMeter !== undefined) {
      const { dropEvery, dropPercent, dedupeMs, poisonIds, staleReadMs, sinkOutage } = settings.openMeter;
      const dropRate = dropPercent === undefined ? undefined : dropPercent / 100;
      openMeter.setFaults(given({ dropEvery, dropRate, poisonIds, staleReadMs }) as Partial<OpenMeterFaults>);
      if (sinkOutage !== undefined) {
        openMeter.setSinkOutage(sinkOutage === null ? null : (given(sinkOutage) as SinkOutage));
      }
      if (dedupeMs !== undefined) openMeter.setDedupe(dedupeMs === null ? null : { windowMs: dedupeMs });
    }
    if (settings.stripe !== undefined) {
      const { lose, summaryLagMs, summariesStanding, webhooks } = settings.stripe;
      if (lose !== undefined) {
        const { how, count, percent } = lose;
        const rate = percent === undefined ? undefined : percent / 100;
        stripe.faults.loseMeterEvents(given({ loss: how, count, rate }) as { loss: typeof how });
      }
      if (summaryLagMs !== undefined) stripe.setSummaryLag(summaryLagMs);
      if (summariesStanding !== undefined) stripe.setSummariesStanding(summariesStanding);
      if (webhooks !== undefined) stripe.webhookFaults.set(given(webhooks) as Partial<WebhookFaultSettings>);
    }
  }

  /** No fault from now on, in all systems. How long ids are remembered and how much summaries lag stays. */
  async clear(): Promise<void> {
    const network = { ...NO_NETWORK_FAULTS };
    const azure = {
      next: [],
      percent: {},
      duplicatePercent: 0,
      previewMetricPercent: 0,
      lateRows: null,
      staleReadMs: 0,
    };
    await this.set({
      azure: { network, clockSkewMs: 0, rowCeiling: 500_000, ...azure },
      openMeter: {
        network,
        clockSkewMs: 0,
        dropEvery: 0,
        dropPercent: 0,
        poisonIds: [],
        staleReadMs: 0,
        sinkOutage: null,
      },
      stripe: { network, clockSkewMs: 0, summariesStanding: false, webhooks: NO_WEBHOOK_FAULTS },
    });
    this.#parts.stripe.faults.clear();
    this.#parts.openMeter.setFaults(NO_FAULTS);
    this.#parts.azure.setFaults({ always: null });
  }
}
