import { sayInstant, sayShare } from './amounts.ts';
import type { FactsOf } from './facts.ts';
import type { AlertMessage } from './message.ts';
import { sayMeasured } from './operator-words.ts';
import { fillTemplate, type TemplateValues } from './template.ts';

export const LOCALES = ['en', 'de'] as const;
export type Locale = (typeof LOCALES)[number];

/** How a route speaks to its customer; null: in the house's words. */
export interface CustomerTexts {
  locale: Locale;
  subjectTemplate: string | null;
  bodyTemplate: string | null;
}

const TEXTS: Record<
  Locale,
  { subject: string; forecastSubject: string; body: string; forecastBody: string }
> = {
  en: {
    subject: 'Your budget {budget} has reached {share}',
    forecastSubject: 'Your budget {budget} is expected to reach {share}',
    body: '{used} of {limit} are used in this {period}.',
    forecastBody: '{used} of {limit} are used so far in this {period}.',
  },
  de: {
    subject: 'Ihr Budget {budget} hat {share} erreicht',
    forecastSubject: 'Ihr Budget {budget} wird voraussichtlich {share} erreichen',
    body: '{used} von {limit} sind in diesem Zeitraum verbraucht.',
    forecastBody: '{used} von {limit} sind in diesem Zeitraum bisher verbraucht.',
  },
};
const ENDINGS: Record<Locale, { subject: string; undone: string; settled: string }> = {
  en: {
    subject: 'Withdrawn: your budget {budget}, {share}',
    undone: 'Please disregard our earlier message: by what we know now, the limit was not reached.',
    settled: 'Our earlier message no longer applies: the budget was changed.',
  },
  de: {
    subject: 'Zurückgenommen: Ihr Budget {budget}, {share}',
    undone:
      'Bitte betrachten Sie unsere frühere Nachricht als gegenstandslos: nach heutigem Stand wurde die Grenze nicht erreicht.',
    settled: 'Unsere frühere Nachricht gilt nicht mehr: das Budget wurde geändert.',
  },
};

/** What a customer is told of its own budget: in words of its route's, with nothing of what usage costs us. */
export function sayToCustomer(
  facts: FactsOf<'budget'>,
  { customerName, ending }: { customerName: string; ending: 'undone' | 'settled' | null },
  { locale, subjectTemplate, bodyTemplate }: CustomerTexts,
): AlertMessage {
  const values: TemplateValues = {
    customer: customerName,
    budget: facts.budgetName,
    share: sayShare(facts.sharePermille),
    used: sayMeasured(facts.used, facts),
    limit: sayMeasured(facts.limit, facts),
    period: facts.period.replaceAll('_', ' '),
    until: facts.windowEnd === null ? '' : sayInstant(facts.windowEnd),
    user: facts.subject ?? '',
    feature: facts.feature ?? '',
    contact: facts.contact ?? '',
  };
  const texts = TEXTS[locale];
  const [subject, body] =
    ending !== null
      ? [ENDINGS[locale].subject, ENDINGS[locale][ending]]
      : facts.on === 'forecast'
        ? [subjectTemplate ?? texts.forecastSubject, bodyTemplate ?? texts.forecastBody]
        : [subjectTemplate ?? texts.subject, bodyTemplate ?? texts.body];
  return {
    subject: fillTemplate(subject, values),
    paragraphs: fillTemplate(body, values)
      .split(/\n{2,}/)
      .filter((paragraph) => paragraph.trim() !== ''),
    facts: [],
    path: null,
  };
}
