import { html } from 'hono/html';
import type { Html } from '../../../pages/html.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { TallystickError } from '../../../platform/errors.ts';
import { DEFAULT_API_SETTINGS } from '../../../platform/http/dependencies.ts';
import { draftQuote, makeQuote } from '../../../quotes/make.ts';
import type { StoredQuoteBody } from '../../../quotes/schemas.ts';
import { type ConsoleView, definePage, type PageContent } from '../../frame/define-page.ts';
import { customerPart, insideOf, linesTable, quoteFigures } from '../figures.ts';
import { NEW_QUOTE_PATH, quoteForm, SAVE_ACT } from './draw.ts';
import { readRequest } from './fields.ts';
import { type FormMaterial, gatherForm, problemOf } from './gather.ts';

type Answered = { quote: StoredQuoteBody; problem: null } | { quote: null; problem: TallystickError | null };

/** The question's answer of this moment, which nothing stores. */
function answer({ asked }: FormMaterial, view: ConsoleView): Answered {
  if (asked.kind !== 'question') {
    return { quote: null, problem: asked.kind === 'problem' ? asked.problem : null };
  }
  try {
    const made = {
      quoteId: 'not saved yet',
      actor: view.caller.actor,
      now: view.now,
      terms: settingsOf(view).quoteTerms,
    };
    const { frame, shown } = draftQuote(asked.request, asked.facts, made);
    return { quote: { ...frame, ...shown.body }, problem: null };
  } catch (error) {
    return { quote: null, problem: problemOf(error) };
  }
}

const settingsOf = ({ dependencies: { settings = DEFAULT_API_SETTINGS } }: ConsoleView) => settings;

function show(material: FormMaterial, view: ConsoleView): PageContent {
  const { quote, problem } = answer(material, view);
  const { from } = material;
  return {
    body: html`${from === null ? '' : html`<p class="lead">Begun from <a href="/console/quotes/${encodeURIComponent(from.quoteId)}">${from.name === null ? from.quoteId : nameCell(from.name, 60)}</a>; that one stays as it is.</p>`}
<div class="quoting">
  ${quoteForm(material.fields, material.choices, view, settingsOf(view).quoteTerms)}
  <div class="quoted">
    <div id="answer">${headOf(quote, problem)}</div>
    <section aria-label="What the customer will see"><h2>What the customer will see</h2><div id="customer-page">${customerPart(quote, { now: view.now, seller: settingsOf(view).seller, standing: { kind: 'seen' } })}</div></section>
  </div>
</div>
<section aria-label="For our own eyes"><h2>For our own eyes</h2><div id="inside">${quote === null ? html`<p class="muted">Cost and margin of each line show here.</p>` : insideOf(quote, view)}</div></section>`,
    csv:
      quote === null ? {} : { lines: () => csvOfTable(linesTable(quote), quote.lines, view.address.query) },
  };
}

function headOf(quote: StoredQuoteBody | null, problem: TallystickError | null): Html {
  if (quote !== null) return quoteFigures(quote);
  if (problem === null) {
    return html`<p class="notice">Say what they will use: the price shows as you type.</p>`;
  }
  const errors = (problem.context.errors ?? []) as { field: string; message: string }[];
  return html`<div class="notice warn"><p>${errors.length === 0 ? problem.message : 'There is no price yet:'}</p>${
    errors.length === 0
      ? ''
      : html`<ul>${errors.map(({ field, message }) => html`<li>${field}: ${message}</li>`)}</ul>`
  }${problem.fix === undefined ? '' : html`<p>${problem.fix}</p>`}</div>`;
}

export const newQuotePage = definePage<FormMaterial>({
  path: NEW_QUOTE_PATH,
  title: 'New quote',
  scopes: ['sales', 'finance'],
  gather: gatherForm,
  show,
  acts: {
    [SAVE_ACT]: {
      scopes: ['sales', 'finance'],
      makes: true,
      run: async (form, view) => {
        const { quoteId } = await makeQuote(view.dependencies, readRequest(form), view.caller.actor);
        return {
          notice: 'Saved. It stays as it is from now on; the link below is the customer’s.',
          to: `/console/quotes/${quoteId}`,
        };
      },
    },
  },
});
