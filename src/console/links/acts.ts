import { html } from 'hono/html';
import { getCustomer } from '../../catalog/customers.ts';
import { DEFAULT_VALID_DAYS, MOST_VALID_DAYS, makePortalLink } from '../../links/portal-links.ts';
import { withdrawCustomerLinks, withdrawLink } from '../../links/withdraw.ts';
import { textOf } from '../../pages/address.ts';
import { instantCell } from '../../pages/numbers.ts';
import { shortened } from '../../pages/texts.ts';
import { ValidationError } from '../../platform/errors.ts';
import type { PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';

/** What a person does about links: as the routes do it, by the same functions. */
export const LINK_ACTS: Readonly<Record<string, PageAct>> = {
  withdraw: {
    scopes: ['finance'],
    run: async (form, { caller, dependencies }) => {
      const by = { actor: caller.actor, now: dependencies.clock.now() };
      const { isNew } = await withdrawLink(dependencies.database, form.get('link') ?? '', by);
      return {
        notice: isNew
          ? 'The link is withdrawn: it opens nothing any more.'
          : 'It had been withdrawn already.',
      };
    },
  },
  'withdraw-all': {
    scopes: ['finance'],
    run: async (form, { caller, dependencies }) => {
      const { customerId, name } = await getCustomer(dependencies.database, form.get('customer') ?? '');
      const by = { actor: caller.actor, now: dependencies.clock.now() };
      const ended = await withdrawCustomerLinks(dependencies.database, customerId, by);
      return {
        notice: `All of ${shortened(name)}: ${countOf(ended.linkCount, 'link')} withdrawn, ${countOf(ended.sessionCount, 'session')} of the portal ended.`,
      };
    },
  },
  portal: {
    scopes: ['finance'],
    makes: true,
    run: async (form, { caller, dependencies, origin }) => {
      const customerId = requiredText(form, 'customerId', 'Say whose portal it opens.', 512);
      const userId = textOf(form, 'userId') ?? null;
      const validDays = readDays(form.get('validDays') ?? '');
      const made = { origin, actor: caller.actor, validDays };
      const { url, expiresAt } = await makePortalLink(dependencies, { customerId, userId }, made);
      const whose = userId === null ? customerId : `${userId} of ${customerId}`;
      return {
        shown: {
          title: `Portal of ${shortened(whose)}`,
          body: html`<p class="lead">Whoever has this link reads the portal, until ${instantCell(expiresAt)} or until it is withdrawn.</p>
<div class="panel link"><label><span>Link for the customer</span><input readonly value="${url}" data-copied></label></div>
<p><a href="/console/links">Back to the links</a></p>`,
        },
      };
    },
  },
};

export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function readDays(text: string): number {
  if (text.trim() === '') return DEFAULT_VALID_DAYS;
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= MOST_VALID_DAYS) return days;
  throw new ValidationError(
    'validDays',
    `must be 1 to ${MOST_VALID_DAYS}`,
    'Leave it empty for the usual 120.',
  );
}
