import { type Providers, readProviders } from '../../../pricing/usage/providers.ts';
import type { Scenario, ScenarioModel } from '../../../sandbox/scenario.ts';
import { createItemId } from '../../../sandbox/traffic/item-id.ts';
import { METRIC_NAMES } from '../../../sandbox/traffic/row.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { Draws } from '../draws.ts';
import type { Profile } from '../profile.ts';
import { drawDelayMs, keepMinute, OLDEST_EVENT_MS } from './row-times.ts';
import type { FatedRow } from './traffic.ts';

const MAKER_ID_SALT = 0x0a9c0de5;

/** Its maker tells cached tokens beside the prompt. */
const CLAUDE = priced('claude-sonnet-4-5', 'claude');
/** Nobody knows its maker by the name; the configuration tells it later, or never. */
const UNNAMED = priced('aurora-1', 'aurora');

/** Models beside the scenario's own. */
export const MAKER_MODELS: readonly ScenarioModel[] = [CLAUDE, UNNAMED];

function priced(model: string, deployment: string): ScenarioModel {
  return {
    model,
    deployment,
    displayName: model,
    tokenTypes: ['prompt', 'prompt_cached', 'completion'],
    sellPriceCents: { prompt: '0.0003', prompt_cached: '0.00003', completion: '0.0015' },
  };
}

/** How makers count in the world of a seed. */
export interface Makers {
  /** What the total of a maker that tells cached tokens apart counts. */
  claudeTotal: 'with-cache' | 'without-cache';
  /** As whose its usage is counted once it is named. */
  unnamedCountsAs: 'openai' | 'anthropic';
  /** Hours after the start at which it is; null: never. */
  namedAfterHours: number | null;
}

export function drawMakers(seed: number, { dayCount }: Profile): Makers {
  const draws = new Draws(seed, 'makers');
  return {
    claudeTotal: draws.pick(['with-cache', 'without-cache'] as const),
    unnamedCountsAs: draws.pick(['openai', 'anthropic'] as const),
    namedAfterHours: draws.chance(0.75) ? draws.between(2, dayCount * 24) : null,
  };
}

/** The configuration's makers, whose list gets longer while everything runs. */
export function createProviders(makers: Makers, startMs: number, nowMs: () => number): Providers {
  const before = readProviders({});
  const after = readProviders({ modelProviders: `${UNNAMED.model}=${makers.unnamedCountsAs}` });
  const { namedAfterHours } = makers;
  return {
    ruleOf: (model) =>
      (namedAfterHours !== null && nowMs() >= startMs + namedAfterHours * HOUR_MS ? after : before).ruleOf(
        model,
      ),
  };
}

/** What befalls a call: nothing; a row that only a rescan finds; one that never comes; it is told by another maker's rule. */
type Fate = 'whole' | 'hidden' | 'lost' | 'misread';

/** Calls by every counting rule, whole and not. Those that never will be have a key and a minute of their own. */
export function drawMakerRows(seed: number, scenario: Scenario, profile: Profile): FatedRow[] {
  const draws = new Draws(seed, 'maker rows');
  const makers = drawMakers(seed, profile);
  const callers = scenario.customers.flatMap(({ tenantKey, subjects }) =>
    subjects.map((subject) => ({ tenantKey, subject })),
  ) as [{ tenantKey: string; subject: string }];
  const gpt = scenario.models[0] ?? CLAUDE;
  const hours = Array.from({ length: 4 }, () => draws.between(0, profile.dayCount * 24 - 1)) as [number];
  const rows: FatedRow[] = [];
  const callCount = draws.between(6, 12);
  for (let call = 0; call < callCount; call += 1) {
    const { model, deployment } = draws.pick([CLAUDE, CLAUDE, UNNAMED, gpt]);
    const isUnnamed = model === UNNAMED.model;
    const fate = isUnnamed
      ? draws.pick<Fate>(['whole', 'hidden'])
      : draws.pick<Fate>(['whole', 'hidden', 'lost', 'lost', 'misread']);
    const isDoubtful = fate === 'lost' || fate === 'misread';
    const isApart = model === CLAUDE.model || (isUnnamed && makers.unnamedCountsAs === 'anthropic');
    const { subject, tenantKey } = draws.pick(callers);
    const properties = {
      userId: subject,
      tenantId: tenantKey,
      featureArea: isDoubtful ? `doubtful-${call}` : 'makers',
      model,
      deployment,
    };
    const eventMs = scenario.options.startMs + draws.pick(hours) * HOUR_MS + draws.between(0, 59) * MINUTE_MS;
    const told = drawFigures(draws, isApart, makers, fate);
    const lost = fate === 'lost' ? draws.pick([0, 0, 0, 1, 2, 3]) : -1;
    const hidden = fate === 'hidden' && profile.rescans ? draws.between(0, 3) : -1;
    const together = drawDelayMs(draws, profile);
    const comesApart = draws.chance(0.3);
    const unseenTogetherMs = draws.between(0, profile.visibilityDelayMs);
    // A crowd of one instant that is above the limits is read in parts; else rows of one instant are always told together.
    const isToldWhole =
      !comesApart && profile.settings.collectRowLimit >= 40 && profile.azureRowCeiling >= 60;
    const itemCount = draws.between(1, 3);
    told.forEach(([metricName, sum], index) => {
      if (index === lost || sum === 0) return;
      const delayMs = comesApart ? drawDelayMs(draws, profile) : together;
      const row = {
        itemId: createItemId(seed ^ MAKER_ID_SALT, 0, rows.length),
        eventMs,
        ingestedMs: keepMinute(eventMs, eventMs + MINUTE_MS + delayMs),
        ingestedTicks: draws.between(0, 9_999),
        metricName,
        sum,
        itemCount,
        min: 1,
        max: sum,
        properties,
      };
      const unseenMs = index === hidden ? draws.between(1, 5) * HOUR_MS : unseenTogetherMs;
      const fated: Omit<FatedRow, 'row' | 'visibleMs'> = {
        quarantineReason: isUnnamed && makers.namedAfterHours === null ? 'no_provider' : null,
        ...(isApart ? { toldApart: makers.claudeTotal } : {}),
        ...(isDoubtful ? { doubt: isToldWhole ? 'told whole' : 'told in parts' } : {}),
      };
      rows.push({ row, visibleMs: row.ingestedMs + unseenMs, ...fated });
      const againMs = row.ingestedMs + draws.between(0, 30 * HOUR_MS);
      if (draws.chance(profile.duplicateRowChance) && againMs - eventMs < OLDEST_EVENT_MS)
        rows.push({ row: { ...row, ingestedMs: againMs }, visibleMs: againMs, ...fated });
    });
  }
  return rows;
}

/** Figures of a call by its maker's rule, or by the other's: then cached tokens are more than the prompt they are part of. */
function drawFigures(draws: Draws, isApart: boolean, { claudeTotal }: Makers, fate: Fate) {
  const prompt = draws.between(1, 400);
  const isBeyond = isApart || fate === 'misread';
  const cached = isBeyond ? prompt + draws.between(1, 4_000) : draws.between(0, prompt);
  // Without one, what is left of a lost prompt has nothing that could be true by itself.
  const completion = fate === 'lost' && draws.chance(0.4) ? 0 : draws.between(1, 90);
  const withCache = prompt + cached + completion;
  const whole = isApart && claudeTotal === 'with-cache' ? withCache : prompt + completion;
  // A maker that tells cached tokens apart has a total for each reading; neither leaves out a part of them.
  const misread = isApart ? withCache - 1 : withCache;
  return [
    [METRIC_NAMES.prompt, prompt],
    [METRIC_NAMES.cachedPrompt, cached],
    [METRIC_NAMES.completion, completion],
    [METRIC_NAMES.total, fate === 'misread' ? misread : whole],
  ] as const;
}
