import { html } from 'hono/html';
import type { Explanation } from '../../../pricing/anomalies/decide.ts';
import type { Shape } from '../../../pricing/anomalies/shape.ts';
import type { Finding } from '../../anomalies/findings.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import { actorInWords, kindAndName, nameCell } from '../../pages/texts.ts';
import { dayShort } from '../../pages/words.ts';

const SHAPES: Record<Shape, string> = {
  loop: 'one user asks the same again and again',
  scraper: 'one user asks for everything, or when nobody else does',
  larger_prompts: 'requests are larger than usual',
  creep: 'requests cost more from day to day',
  new_feature: 'many use a feature that is new',
  growth: 'all its users ask for more',
  spike: 'more is asked than usual',
};

const EXPLANATIONS: Record<Explanation, string> = {
  new_customer: 'the customer is new',
  new_feature: 'the feature is new',
  new_plan: 'its plan is new',
  price_change: 'the price of a model changed',
  backfill: 'usage was filled in a day or more later',
  late_data: 'usage came hours late',
  all_moved: 'half of all other customers moved as well',
  growth: 'all its users ask for more',
};

/** What the usage looks like. */
export function shapeInWords({ shape }: Finding): string {
  return shape === null ? 'its day is more than two sigmas above its mean' : SHAPES[shape];
}

/** Why nobody needs to look; null: no reason is known. */
export function explanationsInWords({ explanations }: Finding): string | null {
  return explanations.length === 0
    ? null
    : explanations.map((explanation) => EXPLANATIONS[explanation]).join('; ');
}

/** The user, feature or model that moved while the rest held. */
export function partInWords({ dimension, value }: Finding['moved'][number]): Html {
  return value === '' ? html`<span class="muted">no ${dimension}</span>` : kindAndName(dimension, value, 40);
}

/** `20 Nov, 14:00`, where there is little room. */
export function hourShort(hour: Date): string {
  return `${dayShort(hour)}, ${hour.toISOString().slice(11, 16)}`;
}

/** Where it stands for people, with who said so. */
export function standingInWords(finding: Finding, now: Date): Html | string {
  const { state, decision, decidedBy, snoozedUntil } = finding;
  if (state === 'withdrawn') return 'withdrawn: later data undid it';
  if (decision !== null)
    return html`<span>${decision} <small class="muted">by ${nameCell(actorInWords(decidedBy ?? ''), 40)}</small></span>`;
  if (snoozedUntil !== null && snoozedUntil > now)
    return html`<span>snoozed until ${instantCell(snoozedUntil)}</span>`;
  return state === 'open' ? 'goes on' : 'over';
}
