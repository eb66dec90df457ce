import type { QuoteFacts } from '../../../../pricing/quotes/question.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import { type TallystickError, toTallystickError } from '../../../platform/errors.ts';
import { readQuoteNames } from '../../../quotes/earlier.ts';
import { gatherQuoteFacts } from '../../../quotes/gather.ts';
import { getQuote } from '../../../quotes/quotes.ts';
import { type QuoteRequest, QuoteRequestSchema } from '../../../quotes/request-schema.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { gatherOffered, type Offered } from '../../frame/offered.ts';
import { fieldsOf, isAsked, readRequest } from './fields.ts';

export interface FormMaterial {
  fields: URLSearchParams;
  choices: Offered;
  /** The quote that it was begun from. */
  from: { quoteId: string; name: string | null } | null;
  asked:
    | { kind: 'nothing' }
    | { kind: 'question'; request: QuoteRequest; facts: QuoteFacts }
    | { kind: 'problem'; problem: TallystickError };
}

export async function gatherForm(snapshot: LedgerSnapshot, view: ConsoleView): Promise<FormMaterial> {
  const query = view.typed ?? view.address.query;
  const from = query.has('basis') ? null : query.get('from');
  const fields =
    from === null ? query : fieldsOf(QuoteRequestSchema.parse((await getQuote(snapshot, from)).request));
  const begun = query.get('from');
  const names = await readQuoteNames(snapshot, begun === null ? [] : [begun]);
  return {
    fields,
    from: begun === null ? null : { quoteId: begun, name: names.get(begun) ?? null },
    choices: await gatherOffered(snapshot),
    asked: await gatherAsked(snapshot, fields, view.now),
  };
}

/** What is wrong with a question is a part of the page, and no reason not to show it. */
async function gatherAsked(
  snapshot: LedgerSnapshot,
  fields: URLSearchParams,
  now: Date,
): Promise<FormMaterial['asked']> {
  if (!isAsked(fields)) return { kind: 'nothing' };
  try {
    const request = readRequest(fields);
    return { kind: 'question', request, facts: await gatherQuoteFacts(snapshot, request, now) };
  } catch (error) {
    return { kind: 'problem', problem: problemOf(error) };
  }
}

/** @throws what is ours, and not of the question */
export function problemOf(error: unknown): TallystickError {
  const known = toTallystickError(error);
  if (known.retry || known.code === 'INTERNAL') throw error;
  return known;
}
