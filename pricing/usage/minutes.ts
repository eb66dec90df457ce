import type { CountingRule } from './providers.ts';
import { byFigure, FIGURE_NAMES, FIGURES, type FigureName, type TokenKind, TYPED_FIGURES } from './shape.ts';

/**
 * Whether the figures of one minute and key can all be true. A request has one row for each metric, told apart and indexed
 * apart: while one is missing the others contradict each other, or look whole and are not. What contradicts itself waits,
 * whole, until the rest has come; nothing is repaired by guessing.
 */

const WHOLES_OF: Record<FigureName, readonly FigureName[]> = byFigure((name) => FIGURES[name].partOf);

/** Reasons for which rows of a minute wait. */
export const HELD_REASONS = ['counts_disagree', 'overlap_untold'] as const;
type HeldReason = (typeof HELD_REASONS)[number];

/** The figure that a row's tokens are counted as. */
export const FIGURE_BY_KIND: ReadonlyMap<TokenKind, FigureName> = new Map(
  FIGURE_NAMES.flatMap((name) => {
    const { tokenKind } = FIGURES[name];
    return tokenKind === null ? [] : [[tokenKind, name] as const];
  }),
);

/** One row's part in its minute. */
export interface ToldFigure {
  figure: FigureName;
  tokenCount: bigint;
  /** Its tokens are not in the figure that it is part of, and are added to it. */
  countsApart: boolean;
}

/** What the rows of one minute and key say together. */
export interface MinuteFigures {
  /** Each with all its parts, however they were told. */
  figures: Record<FigureName, bigint>;
  /** Tokens that were told beside their whole. */
  apartTokenCount: bigint;
  /** Figures that some row tells, be it as nothing. */
  told: ReadonlySet<FigureName>;
}

/** Free: the rows become usage. Held: they wait, `detail` says with which figures. */
export type MinuteVerdict = { kind: 'free' } | { kind: 'held'; reason: HeldReason; detail: string };

export function sumMinute(rows: Iterable<ToldFigure>): MinuteFigures {
  const figures = byFigure(() => 0n);
  const told = new Set<FigureName>();
  let apartTokenCount = 0n;
  for (const { figure, tokenCount, countsApart } of rows) {
    told.add(figure);
    figures[figure] += tokenCount;
    if (!countsApart) continue;
    for (const whole of WHOLES_OF[figure]) figures[whole] += tokenCount;
    apartTokenCount += tokenCount;
  }
  return { figures, apartTokenCount, told };
}

/**
 * The same of usage events of the minute, whose figures have all their parts. They do not say how these were told: that is
 * read as the model is counted today, which decides what may wait and no bucket.
 */
export function sumSent(figures: Record<FigureName, bigint>, rule: CountingRule): MinuteFigures {
  const told = new Set(FIGURE_NAMES.filter((name) => figures[name] > 0n));
  // A total of nothing was told all the same, for it made a request.
  if (told.has('requests')) told.add('total');
  // What is usage already had its overlap told, or needed none.
  for (const name of OVERLAPS) if (WHOLES_OF[name].every((whole) => told.has(whole))) told.add(name);
  const apartTokenCount = rule.apart.reduce((sum, name) => sum + figures[name], 0n);
  return { figures, apartTokenCount, told };
}

/** What both say together. */
export function addMinutes(one: MinuteFigures, other: MinuteFigures): MinuteFigures {
  return {
    figures: byFigure((name) => one.figures[name] + other.figures[name]),
    apartTokenCount: one.apartTokenCount + other.apartTokenCount,
    told: new Set([...one.told, ...other.told]),
  };
}

/**
 * Judges what could become usage, `candidates`, given what of the same minute and key is usage already. Free is what agrees
 * together with that, or by itself when it has a total of its own: what was sent stays, whatever it said. A total that no
 * row tells contradicts nothing. `isAccepted`: a person takes the minute as it was told, whatever its total says; parts that
 * are more than their whole wait all the same, for nobody can say what to bill of them.
 */
export function judgeMinute(
  minute: { sent: MinuteFigures | null; candidates: MinuteFigures; isAccepted?: boolean },
  rule: CountingRule,
): MinuteVerdict {
  const { sent, candidates } = minute;
  if (minute.isAccepted === true) {
    const detail = findPartFault((sent === null ? candidates : addMinutes(sent, candidates)).figures);
    return detail === null ? FREE : { kind: 'held', reason: 'counts_disagree', detail };
  }
  const alone = findContradiction(candidates, rule);
  if (sent === null) return alone ?? FREE;
  if (alone === null && candidates.told.has('total')) return FREE;
  const whole = findContradiction(addMinutes(sent, candidates), rule);
  return whole ?? FREE;
}

/** Whether the minute cannot be judged by its candidates alone: what is usage already must be looked at. */
export function needsSent(candidates: MinuteFigures, rule: CountingRule): boolean {
  return !candidates.told.has('total') || findContradiction(candidates, rule) !== null;
}

const FREE: MinuteVerdict = { kind: 'free' };

function findContradiction(minute: MinuteFigures, rule: CountingRule): MinuteVerdict | null {
  const detail = findTotalFault(minute, rule) ?? findPartFault(minute.figures);
  if (detail !== null) return { kind: 'held', reason: 'counts_disagree', detail };
  const overlap = findUntoldOverlap(minute);
  return overlap === null ? null : { kind: 'held', reason: 'overlap_untold', detail: overlap };
}

const TOTALED: readonly FigureName[] = FIGURES.total.sumOf;

function findTotalFault(
  { figures, apartTokenCount, told }: MinuteFigures,
  rule: CountingRule,
): string | null {
  if (!told.has('total')) return null;
  const whole = TOTALED.reduce((sum, name) => sum + figures[name], 0n);
  const allowed = rule.totals.map((total) => (total === 'with-cache' ? whole : whole - apartTokenCount));
  if (allowed.includes(figures.total)) return null;
  const [sum, ...others] = new Set(allowed);
  const parts = TOTALED.map((name) => sayFigure(figures, name)).join(' + ');
  const other = others.map((count) => ` or, without the cache, ${count}`).join('');
  return `total ${figures.total}, but ${parts} = ${whole}${sum === whole ? other : `, without the cache ${sum}`} as ${rule.provider} counts`;
}

const PARTS_OF = byFigure((whole) => FIGURE_NAMES.filter((name) => WHOLES_OF[name].includes(whole)));
/** Parts of two figures that are parts of one themselves: what both of them count. */
const OVERLAPS = FIGURE_NAMES.filter((name) => WHOLES_OF[name].length > 1);

/**
 * What is wrong with parts that are more than their whole, alone or together; null: each has its place. Only such figures
 * divide into buckets of which none is negative.
 */
export function findPartFault(figures: Record<FigureName, bigint>): string | null {
  for (const whole of FIGURE_NAMES) {
    const parts = PARTS_OF[whole];
    for (const part of parts) {
      if (figures[part] > figures[whole])
        return `${sayFigure(figures, part)} is part of ${sayFigure(figures, whole)}`;
    }
    // Parts without a token type of their own may count each other's tokens.
    const disjoint = parts.filter((part) => (TYPED_FIGURES as FigureName[]).includes(part));
    const shared = OVERLAPS.filter((name) => WHOLES_OF[name].every((one) => disjoint.includes(one)));
    const sum =
      disjoint.reduce((total, part) => total + figures[part], 0n) -
      shared.reduce((total, part) => total + figures[part], 0n);
    if (sum > figures[whole]) {
      const names = disjoint.filter((part) => figures[part] > 0n).map((part) => sayFigure(figures, part));
      return `${names.join(' + ')} are ${sum}, parts of ${sayFigure(figures, whole)}`;
    }
  }
  return null;
}

function findUntoldOverlap({ figures, told }: MinuteFigures): string | null {
  for (const overlap of OVERLAPS) {
    const [one, other] = WHOLES_OF[overlap];
    if (told.has(overlap) || one === undefined || other === undefined) continue;
    if (figures[one] > 0n && figures[other] > 0n) {
      return `${sayFigure(figures, one)} and ${sayFigure(figures, other)}: how many are both is not told`;
    }
  }
  return null;
}

function sayFigure(figures: Record<FigureName, bigint>, name: FigureName): string {
  return `${(FIGURES[name].tokenKind ?? name).replaceAll('_', ' ')} ${figures[name]}`;
}
