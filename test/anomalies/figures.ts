import { isAbout, judgeCustomer, type Told } from './judge.ts';
import {
  CUSTOMERS,
  EVENT_KINDS,
  type EventKind,
  type PlantedEvent,
  plantEvents,
  playCustomer,
} from './traffic.ts';

/** What somebody would want to be told. The other kinds are what goes well: telling of them is telling for nothing. */
const WANTED: readonly EventKind[] = ['loop', 'scraper', 'slow creep'];

interface RuleFigures {
  toldCount: number;
  /** Of these, about an event of a wanted kind. */
  rightCount: number;
  precision: number;
  /** Of the events of wanted kinds. */
  recall: number;
  /** Told of, of all, by kind. */
  foundByKind: Record<EventKind, string>;
  /** Loops and scrapers that were told of after their first hour, of all. */
  firstHour: string;
}

export interface SeedFigures {
  seed: number;
  rules: { sigma: RuleFigures; ours: RuleFigures };
  /** Every loop and scraper after its first hour, at a precision of 0.7 or more. */
  isKept: boolean;
  misses: string[];
}

export function judgeSeed(seed: number): SeedFigures {
  const events = plantEvents(seed);
  const [sigma, ours]: [Told[], Told[]] = [[], []];
  for (let customer = 0; customer < CUSTOMERS; customer += 1) {
    const traffic = playCustomer(
      seed,
      customer,
      events.find((event) => event.customer === customer),
    );
    const told = judgeCustomer(customer, traffic);
    sigma.push(...told.sigma);
    ours.push(...told.ours);
  }
  const rules = { sigma: figuresOf(sigma, events), ours: figuresOf(ours, events) };
  const urgent = events.filter(({ kind }) => kind === 'loop' || kind === 'scraper');
  const isKept = rules.ours.precision >= 0.7 && urgent.every((event) => isInFirstHour(event, ours));
  const late = urgent
    .filter((event) => !isInFirstHour(event, ours))
    .map((event) => `${seed} not in the first hour: ${JSON.stringify(event)}`);
  const vain = ours
    .filter((told) => !events.some((event) => WANTED.includes(event.kind) && isAbout(told, event)))
    .map(
      (told) =>
        `${seed} for nothing: ${JSON.stringify(told)} ${events.find(({ customer }) => customer === told.customer)?.kind}`,
    );
  return { seed, rules, isKept, misses: [...late, ...vain] };
}

function isInFirstHour(event: PlantedEvent, told: readonly Told[]): boolean {
  return told.some((one) => isAbout(one, event) && one.saidAfterHour <= event.startHour);
}

function figuresOf(told: readonly Told[], events: readonly PlantedEvent[]): RuleFigures {
  const wanted = events.filter(({ kind }) => WANTED.includes(kind));
  const found = (some: readonly PlantedEvent[]) =>
    some.filter((event) => told.some((one) => isAbout(one, event))).length;
  const rightCount = told.filter((one) => wanted.some((event) => isAbout(one, event))).length;
  const ofKind = (kind: EventKind) => events.filter((event) => event.kind === kind);
  const urgent = [...ofKind('loop'), ...ofKind('scraper')];
  return {
    toldCount: told.length,
    rightCount,
    precision: told.length === 0 ? 1 : rightCount / told.length,
    recall: found(wanted) / wanted.length,
    foundByKind: Object.fromEntries(
      EVENT_KINDS.map((kind) => [kind, `${found(ofKind(kind))}/${ofKind(kind).length}`]),
    ) as Record<EventKind, string>,
    firstHour: `${urgent.filter((event) => isInFirstHour(event, told)).length}/${urgent.length}`,
  };
}
