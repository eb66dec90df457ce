import { createHash } from 'node:crypto';
import type { Scenario } from '../../sandbox/scenario.ts';
import { meterEventName } from '../../sandbox/stripe/seed.ts';
import type { StripeStandIn } from '../../sandbox/stripe/stand-in.ts';
import { bucketsOf, cellKey, Oracle } from './oracle/oracle.ts';
import type { SimulatedTraffic } from './traffic/traffic.ts';

/** What an event of the wire says, as far as the witness cares. */
interface SeenEvent {
  id: string;
  subject: string;
  time: string;
  data: Record<string, string>;
}

/** Events that repeat or offset another one carry a suffix. */
const USAGE_ID = /^ue_[0-9a-f]{40}$/;

/** Kills and lost answers between a refusal and its being kept in the ledger, of one key. */
const MOST_REPEATS = 8;

/**
 * Sees every call that reaches an outside system, and speaks up at once when one breaks a promise: an
 * identifier with two values, more billed than was used.
 */
export class Witness {
  readonly oracle: Oracle;
  readonly violations: string[] = [];
  /** Calls that changed something outside: sent, and not refused. */
  writeCount = 0;
  /** Usage events that OpenMeter refuses for good, by id. A refused repair is no usage, and is made anew. */
  readonly refused = new Map<string, SeenEvent>();
  /** Canaries that OpenMeter took, repeats included, and the ids of all usage events. */
  canaryCount = 0;
  readonly usageIds = new Set<string>();
  readonly #bodyOfEvent = new Map<string, string>();
  readonly #bodyOfPush = new Map<string, string>();
  readonly #repeatsOfRefusal = new Map<string, number>();
  readonly #stripe: StripeStandIn;
  readonly #mostBillable = new Map<string, bigint>();

  constructor(traffic: SimulatedTraffic, scenario: Scenario, stripe: StripeStandIn) {
    this.oracle = new Oracle(traffic.rows);
    this.#stripe = stripe;
    const priced = new Set(scenario.models.map((model) => model.model));
    for (const cell of this.oracle.cells.values()) {
      if (!priced.has(cell.model)) continue;
      const { prompt_cached, completion } = bucketsOf(cell);
      this.#addBillable(cell, 'prompt', cell.toldPrompt);
      this.#addBillable(cell, 'prompt_cached', prompt_cached);
      this.#addBillable(cell, 'completion', completion);
    }
  }

  report(violation: string): void {
    this.violations.push(violation);
  }

  /** A share of events by their ids is refused for ever; which ones is fixed by the id. */
  holdsPoison(body: string, share: number): boolean {
    if (share === 0) return false;
    const poison = readEvents(body).filter(({ id }) => {
      const digest = createHash('sha256').update(id).digest();
      return digest.readUInt32BE(0) / 2 ** 32 < share;
    });
    for (const event of poison) if (USAGE_ID.test(event.id)) this.refused.set(event.id, event);
    return poison.length > 0;
  }

  sawEvents(body: string, status: number): void {
    if (status !== 204) return;
    this.writeCount += 1;
    for (const event of readEvents(body)) {
      if (USAGE_ID.test(event.id)) this.usageIds.add(event.id);
      else if (event.id.startsWith('uc_')) this.canaryCount += 1;
      const text = JSON.stringify(event);
      const before = this.#bodyOfEvent.get(event.id);
      if (before !== undefined && before !== text)
        this.report(`event ${event.id} was sent with two contents: ${before} and ${text}`);
      this.#bodyOfEvent.set(event.id, text);
    }
  }

  sawPush(body: string, status: number): void {
    const form = new URLSearchParams(body);
    const identifier = form.get('identifier') ?? '';
    const said = [...form].filter(([name]) => name !== 'identifier').join('&');
    const before = this.#bodyOfPush.get(identifier);
    if (before !== undefined && before !== said)
      this.report(`identifier ${identifier} was used with two values: ${before} and ${said}`);
    this.#bodyOfPush.set(identifier, said);
    if (status !== 200) return;
    this.writeCount += 1;
    this.checkNothingOverBilled();
  }

  sawOther(system: string, request: Request, status: number): void {
    const { pathname } = new URL(request.url);
    // Time that passes ends periods: closing one is no repeat of anything.
    if (pathname.startsWith('/v1/invoice')) return;
    const isWrite = request.method !== 'GET' && !pathname.endsWith('/query');
    if (isWrite && system !== 'azure' && status < 300) this.writeCount += 1;
  }

  /** A refusal that Stripe keeps must be left behind: a few repeats are the price of kills and of lost answers. */
  sawKey(request: Request, response: Response): void {
    const key = request.headers.get('idempotency-key');
    if (key === null || response.status < 400 || response.headers.get('idempotent-replayed') !== 'true')
      return;
    const count = (this.#repeatsOfRefusal.get(key) ?? 0) + 1;
    this.#repeatsOfRefusal.set(key, count);
    if (count === MOST_REPEATS) this.report(`key ${key} was used ${count} times after it was refused`);
  }

  /** Never more than was used, for each customer, hour and meter, at any instant. */
  checkNothingOverBilled(): void {
    for (const { tenantKey, eventName, hourMs, value } of this.#stripe.usageByHour()) {
      if (!isOfTokens(eventName)) continue;
      const key = `${tenantKey} ${hourMs} ${eventName}`;
      const most = this.#mostBillable.get(key) ?? 0n;
      if (value > most) this.report(`over-billed: ${key} has ${value} at Stripe, and only ${most} were used`);
    }
  }

  #addBillable(
    cell: { tenantKey: string; hourMs: number; model: string },
    tokenType: string,
    count: bigint,
  ): void {
    const key = `${cell.tenantKey} ${cell.hourMs} ${meterEventName(cell.model, tokenType)}`;
    this.#mostBillable.set(key, (this.#mostBillable.get(key) ?? 0n) + count);
  }
}

/** What other systems feed is nothing of ours. */
export function isOfTokens(eventName: string): boolean {
  return eventName.endsWith('_tokens');
}

function readEvents(body: string): SeenEvent[] {
  const parsed: unknown = JSON.parse(body);
  return (Array.isArray(parsed) ? parsed : [parsed]) as SeenEvent[];
}

/** The oracle's key of an event on the wire. */
export function keyOfEvent(event: SeenEvent): string {
  return cellKey({
    subject: event.subject,
    feature: event.data.feature ?? '',
    model: event.data.model ?? '',
    deployment: event.data.deployment ?? '',
    hourMs: Math.floor(Date.parse(event.time) / 3_600_000) * 3_600_000,
  });
}
