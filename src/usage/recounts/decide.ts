import { FIGURE_BY_KIND } from '../../../pricing/usage/minutes.ts';
import { FIGURES, type TokenKind, type TokenType } from '../../../pricing/usage/shape.ts';
import type { RecountCause } from './causes.ts';
import type { RecountMaterial } from './gather.ts';

/** Approved: the jobs have not done it yet. What is left or has come when they had is open again. */
type RecountState = 'open' | 'approved' | 'rejected';

/** One customer's usage of one model in one month. */
export interface Recount {
  customerId: string | null;
  /** `YYYY-MM`. */
  month: string;
  cause: RecountCause;
  model: string;
  /** What was counted, and what would be, of the token types that differ. Empty where nobody can say. */
  tokens: { tokenType: TokenType; formerly: bigint; now: bigint }[];
  /** Of figures that contradict each other: the totals told, and the tokens counted. */
  told: { totalTokenCount: bigint; countedTokenCount: bigint } | null;
  /** What approving it brings: items where more was used, credits where less; null: nothing can be approved. */
  proposal: ('late_item' | 'credit')[] | null;
  state: RecountState;
}

/** What of a month was counted by the former rules, and what the rules of today say of it. */
export function decideRecounts(material: RecountMaterial): Recount[] {
  const { month } = material;
  const recounts = [
    ...material.toldApart.map(({ customerId, model, promptTokens, cachedTokens, keptTokens }) =>
      differing({ customerId, month, model, cause: 'told_apart' }, [
        { tokenType: 'prompt', formerly: promptTokens - keptTokens, now: promptTokens },
        { tokenType: 'prompt_cached', formerly: keptTokens, now: cachedTokens },
      ]),
    ),
    ...material.untoldParts.map(({ customerId, model, tokenKind, tokenCount }) =>
      differing({ customerId, month, model, cause: 'untold_parts' }, movedTokens(tokenKind, tokenCount)),
    ),
    ...material.contradicting.map(
      ({ customerId, model, totalTokens, countedTokens }): Recount => ({
        ...{ customerId, month, model, cause: 'contradicting' },
        tokens: [],
        told: { totalTokenCount: totalTokens, countedTokenCount: countedTokens },
        proposal: null,
        state: 'open',
      }),
    ),
  ];
  const stateOf = new Map(
    material.decided.map(({ customerId, cause, state, doneAt }) => [
      `${cause} ${customerId}`,
      state === 'approved' && doneAt !== null ? ('open' as const) : state,
    ]),
  );
  return recounts.map((recount) => ({
    ...recount,
    state: stateOf.get(`${recount.cause} ${recount.customerId}`) ?? 'open',
  }));
}

type Place = Pick<Recount, 'customerId' | 'month' | 'model' | 'cause'>;

function differing(place: Place, tokens: Recount['tokens']): Recount {
  const differences = tokens.filter(({ formerly, now }) => formerly !== now);
  const proposal = [
    ...(differences.some(({ formerly, now }) => now > formerly) ? (['late_item'] as const) : []),
    ...(differences.some(({ formerly, now }) => now < formerly) ? (['credit'] as const) : []),
  ];
  return { ...place, tokens: differences, told: null, proposal, state: 'open' };
}

/** A part that was counted within its whole moves to its own token type. */
function movedTokens(tokenKind: TokenKind, tokenCount: bigint): Recount['tokens'] {
  const figure = FIGURE_BY_KIND.get(tokenKind);
  const part = figure === undefined ? null : FIGURES[figure].tokenType;
  const [wholeFigure] = figure === undefined ? [] : [FIGURES[figure].partOf ?? []].flat();
  const whole = wholeFigure === undefined ? null : FIGURES[wholeFigure].tokenType;
  if (part === null || whole === null) return [];
  return [
    { tokenType: whole, formerly: tokenCount, now: 0n },
    { tokenType: part, formerly: 0n, now: tokenCount },
  ];
}
