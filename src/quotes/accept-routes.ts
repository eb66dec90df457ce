import { judgeLink } from '../identity/links/judge-link.ts';
import { readLinkKeys } from '../identity/links/keys.ts';
import { writeLinkQuery } from '../identity/links/signature.ts';
import { FORM_PAGE_HEADERS, PAGE_HEADERS } from '../pages/document.ts';
import { dayInWords } from '../pages/words.ts';
import { type Api, type ApiDependencies, DEFAULT_API_SETTINGS } from '../platform/http/dependencies.ts';
import { isFromOurPages } from '../platform/http/own-pages.ts';
import { readTextBody } from '../platform/http/text-body.ts';
import { acceptQuote, agreedPartOf, isAcceptanceToken, offerHashOf } from './acceptance.ts';
import { MOST_NAME_CHARACTERS } from './page/acceptance.ts';
import { missingQuotePage, quotePage, refusedQuotePage } from './page/page.ts';
import { hasOfferedPrice } from './page/sheet.ts';
import { findQuote, linkOf, readStanding } from './standing.ts';

/** Adds `POST /quotes/{quoteId}/accept`: once, by whoever has the link, of exactly what the page said. */
export function addAcceptRoute(api: Api, dependencies: ApiDependencies): void {
  const { database, clock, settings = DEFAULT_API_SETTINGS } = dependencies;

  // Who loads the answer again, or goes back to it, sees the page.
  api.get('/quotes/:quoteId/accept', (context) => {
    const link = linkOf(context);
    return context.redirect(`/quotes/${encodeURIComponent(link.quoteId)}?${writeLinkQuery(link)}`, 302);
  });

  api.post('/quotes/:quoteId/accept', async (context) => {
    const now = clock.now();
    const link = linkOf(context);
    const verdict = await judgeLink(dependencies, { kind: 'quote', targetId: link.quoteId }, link);
    const quote =
      verdict === 'valid' || verdict === 'expired' ? await findQuote(dependencies, link.quoteId) : null;
    if (quote === null) return context.html(missingQuotePage(), 404, PAGE_HEADERS);
    if (!isFromOurPages(context, settings)) {
      return context.html(
        refusedQuotePage('The form was not sent from the page of the quote.'),
        403,
        PAGE_HEADERS,
      );
    }
    const { body, quoteId, resultText } = quote;
    if (verdict === 'expired' || Date.parse(body.validUntil) <= now.getTime()) {
      const sentence = `This quote was valid until ${dayInWords(body.validUntil)} and can no longer be accepted. Please ask for a new one.`;
      return context.html(refusedQuotePage(sentence), 410, PAGE_HEADERS);
    }
    const form = new URLSearchParams(await readTextBody(context));
    const name = (form.get('name') ?? '').trim();
    const refuse = async (notice: string, status: 400 | 409) => {
      const shown = await readStanding(dependencies, quote, link, name);
      return context.html(
        quotePage(body, { internal: false, now, ...shown, notice }),
        status,
        FORM_PAGE_HEADERS,
      );
    };
    const { standing } = await readStanding(dependencies, quote, link);
    if (standing.kind === 'accepted') return await refuse(alreadyAccepted(name), 409);
    if (!hasOfferedPrice(body))
      return await refuse('It cannot be accepted: some of it has no price yet.', 409);
    const offerHash = offerHashOf(resultText, settings.seller);
    const isOurs = isAcceptanceToken(
      await readLinkKeys(dependencies),
      { quoteId, offerHash: form.get('offer') ?? '' },
      form.get('token') ?? '',
    );
    if (!isOurs || form.get('offer') !== offerHash) {
      return await refuse(
        'This quote, or its terms, changed since you opened the page. Nothing was accepted: please read it again.',
        409,
      );
    }
    const fault = faultOf(name, form.get('agreed'));
    if (fault !== null) return await refuse(fault, 400);
    const seller = agreedPartOf(settings.seller);
    const { isNew } = await acceptQuote(database, { quoteId, acceptedBy: name, offerHash, seller, now });
    if (!isNew) return await refuse(alreadyAccepted(name), 409);
    return context.redirect(`/quotes/${quoteId}?${writeLinkQuery(link)}#accept`, 303);
  });
}

/** Of two at once one wins; whoever comes second is told, and sees whose it is below. */
function alreadyAccepted(name: string): string {
  const whose = name === '' ? 'What you sent' : `The acceptance by ${name}`;
  return `This quote had been accepted already: see below by whom. ${whose} was not needed, and is not recorded.`;
}

function faultOf(name: string, agreed: string | null): string | null {
  if (name === '') return 'Please say your name. Nothing was accepted yet.';
  if ([...name].length > MOST_NAME_CHARACTERS || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    return `Please say your name in at most ${MOST_NAME_CHARACTERS} characters of text. Nothing was accepted yet.`;
  }
  return agreed === 'yes' ? null : 'Please tick that you accept the quote. Nothing was accepted yet.';
}
