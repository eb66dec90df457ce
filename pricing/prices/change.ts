import { nearestNames } from '../near-names.ts';
import { modelKey } from '../usage/names.ts';
import {
  ABSURD_FIX,
  absurdMessage,
  checkPriceBook,
  checkPriceRow,
  isAbsurd,
  type PriceProblem,
  priceContextOf,
} from './book-check.ts';
import {
  type DeploymentRule,
  isSourceKey,
  nameOfRow,
  type PriceBookData,
  type PriceRow,
  picoPerUnitOf,
  startOf,
  timelineKeyOf,
} from './rows.ts';

/** What somebody wants to be different in a price book. */
export interface PriceChange {
  rows: readonly PriceRow[];
  deployments?: readonly DeploymentRule[];
  /** New models, or new aliases of known ones; an entry replaces all aliases that the model had. */
  models?: readonly { model: string; aliases: string[] }[];
  sources?: PriceBookData['sources'];
  /** Whether an entry may take the place of one of the same key and instant; else that is a problem. */
  supersede: boolean;
  /** Whether a row may bring in a model that nobody listed; else a slip in a name is a problem. */
  addModels?: boolean;
}

export interface PriceChangePlan {
  /** The book afterwards; not to be used while there are problems. */
  data: PriceBookData;
  added: Pick<PriceBookData, 'sources' | 'models' | 'deployments' | 'prices'>;
  superseded: { rows: PriceRow[]; deployments: DeploymentRule[] };
  /** Entries that the book holds already, word for word. */
  unchangedCount: number;
  problems: PriceProblem[];
}

/** What a change does to a book, and everything that speaks against it. Applies nothing. */
export function planPriceChange(book: PriceBookData, change: PriceChange): PriceChangePlan {
  const problems: PriceProblem[] = [];
  const models = mergeModels(book, change, problems);
  const sources = missingSources(book, change);
  const rows = merge(book.prices, change.rows, {
    keyOf: (row) => JSON.stringify([timelineKeyOf(row), row.effectiveFrom]),
    nameOf: nameOfRow,
    supersede: change.supersede,
    problems,
  });
  const deployments = merge(book.deployments, change.deployments ?? [], {
    keyOf: (rule) => JSON.stringify([rule.deployment, rule.effectiveFrom]),
    nameOf: (rule) => `deployment ${rule.deployment}`,
    supersede: change.supersede,
    problems,
  });
  const data = {
    ...book,
    sources: { ...book.sources, ...sources },
    models: models.all,
    deployments: deployments.all,
    prices: rows.all,
  };
  const context = priceContextOf(data);
  problems.push(
    ...rows.refused.flatMap((row) => checkPriceRow(row, context)),
    ...checkPriceBook(data),
    ...checkCorrections(rows, book.prices),
  );
  return {
    data,
    added: { sources, models: models.added, deployments: deployments.added, prices: rows.added },
    superseded: { rows: rows.superseded, deployments: deployments.superseded },
    unchangedCount: rows.unchangedCount + deployments.unchangedCount,
    problems: withoutEchoes(problems),
  };
}

interface Merged<Entry> {
  all: Entry[];
  added: Entry[];
  superseded: Entry[];
  /** In the place of others that they may not take. */
  refused: Entry[];
  unchangedCount: number;
}

function merge<Entry extends PriceRow | DeploymentRule>(
  held: readonly Entry[],
  given: readonly Entry[],
  options: {
    keyOf: (entry: Entry) => string;
    nameOf: (entry: Entry) => string;
    supersede: boolean;
    problems: PriceProblem[];
  },
): Merged<Entry> {
  const heldByKey = new Map(held.map((entry) => [options.keyOf(entry), entry]));
  const givenByKey = new Set<string>();
  const added: Entry[] = [];
  const superseded = new Set<Entry>();
  const refused: Entry[] = [];
  let unchangedCount = 0;
  for (const entry of given) {
    const key = options.keyOf(entry);
    const before = heldByKey.get(key);
    const refuse = (message: string, fix: string) => {
      refused.push(entry);
      options.problems.push({
        entry,
        subject: options.nameOf(entry),
        field: 'effectiveFrom',
        message,
        fix,
      });
    };
    if (givenByKey.has(key)) {
      refuse('overlaps: the same is given twice from the same instant on', 'Leave one of them out.');
    } else if (before === undefined) {
      added.push(entry);
    } else if (isSame(before, entry)) {
      unchangedCount += 1;
    } else if (options.supersede) {
      added.push(entry);
      superseded.add(before);
    } else {
      refuse(
        'overlaps: the book holds another one from the same instant on',
        'To correct what it holds, say that this supersedes it; to change it later, give a later effectiveFrom.',
      );
    }
    givenByKey.add(key);
  }
  return {
    all: [...held.filter((entry) => !superseded.has(entry)), ...added],
    added,
    superseded: [...superseded],
    refused,
    unchangedCount,
  };
}

function isSame(left: object, right: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort());
  return sorted(left) === sorted(right);
}

/** Lists models that rows bring in; says of unknown ones what may have been meant. */
function mergeModels(book: PriceBookData, change: PriceChange, problems: PriceProblem[]) {
  const given = new Map((change.models ?? []).map((entry) => [entry.model, entry]));
  const canonicalByName = new Map(
    [...book.models.filter(({ model }) => !given.has(model)), ...given.values()].flatMap(
      ({ model, aliases }) => [model, ...aliases].map((name) => [name, model] as const),
    ),
  );
  for (const entry of [...change.rows, ...(change.deployments ?? [])]) {
    const { model } = entry;
    if (model === null || canonicalByName.get(model) === model) continue;
    const canonical = canonicalByName.get(model);
    const refuse = (message: string, fix: string) =>
      problems.push({ entry, subject: `model ${model.slice(0, 100)}`, field: 'model', message, fix });
    if (canonical !== undefined) {
      refuse(
        `is another name of ${canonical}`,
        `Use ${canonical}, or list its other names anew without this one.`,
      );
    } else if (change.addModels === true && 'amount' in entry && model === modelKey(model)) {
      given.set(model, { model, aliases: [] });
      canonicalByName.set(model, model);
    } else {
      const near = nearestNames([...canonicalByName.keys()], model);
      refuse(
        'is not in the price book',
        `${near.length > 0 ? `Near names: ${near.join(', ')}. ` : ''}List it under models if it is new.`,
      );
    }
  }
  const held = new Map(book.models.map((entry) => [entry.model, entry]));
  const added = [...given.values()].filter((entry) => {
    const before = held.get(entry.model);
    return before === undefined || !isSame(before, entry);
  });
  return { all: [...book.models.filter(({ model }) => !given.has(model)), ...given.values()], added };
}

/** Sources that are new or told anew. One that rows only name goes by its key. */
function missingSources(book: PriceBookData, change: PriceChange): PriceBookData['sources'] {
  const sources: PriceBookData['sources'] = {};
  for (const [key, source] of Object.entries(change.sources ?? {})) {
    const before = book.sources[key];
    if (before === undefined || !isSame(before, source)) sources[key] = source;
  }
  for (const { source, listedAt } of change.rows) {
    if (
      !isSourceKey(source) ||
      Object.hasOwn(book.sources, source) ||
      Object.hasOwn(change.sources ?? {}, source)
    ) {
      continue;
    }
    const asOf = sources[source]?.asOf ?? '';
    sources[source] = { title: source, asOf: listedAt > asOf ? listedAt : asOf, note: '' };
  }
  return sources;
}

/** A correction of the first price of a key has no price before it, but the one that it corrects. */
function checkCorrections(
  { added, superseded }: Merged<PriceRow>,
  held: readonly PriceRow[],
): PriceProblem[] {
  return added.flatMap((row) => {
    const key = timelineKeyOf(row);
    const corrected = superseded.find(
      (before) => timelineKeyOf(before) === key && before.effectiveFrom === row.effectiveFrom,
    );
    const isFirst = !held.some((before) => timelineKeyOf(before) === key && startOf(before) < startOf(row));
    if (corrected === undefined || !isFirst || row.allowAbsurd !== '' || !isReadable(row)) return [];
    if (!isAbsurd(corrected, row)) return [];
    const message = absurdMessage(corrected, row);
    return [{ entry: row, subject: nameOfRow(row), field: 'amount', message, fix: ABSURD_FIX }];
  });
}

function isReadable(row: PriceRow): boolean {
  try {
    const pico = picoPerUnitOf(row);
    return pico === null || pico > 0n;
  } catch {
    return false;
  }
}

/** One problem for each field of an entry: an unknown model need not be told once more as an unlisted one. */
function withoutEchoes(problems: readonly PriceProblem[]): PriceProblem[] {
  const seen = new Map<PriceProblem['entry'], Set<string>>();
  return problems.filter(({ entry, field }) => {
    if (entry === null) return true;
    const fields = seen.get(entry) ?? new Set();
    const isNew = !fields.has(field);
    seen.set(entry, fields.add(field));
    return isNew;
  });
}
