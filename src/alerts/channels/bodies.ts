import type { AlertMessage } from '../../../pricing/alerts/message.ts';
import type { DueDelivery } from '../queue.ts';

/** What `facts` of a signed webhook hold, whoever reads them. */
export interface SignedFacts {
  delivery: Pick<
    DueDelivery,
    'alertId' | 'kind' | 'severity' | 'customerId' | 'ending' | 'raisedAt' | 'withdrawsMessageId'
  >;
  message: AlertMessage;
  /** Null: the reader gets the words alone. */
  facts: unknown;
}

/** The body of a signed webhook: a type, an instant and data, as the specification has it. */
export function signedBody({ delivery, message, facts }: SignedFacts): string {
  const { alertId, kind, severity, customerId, ending, raisedAt, withdrawsMessageId } = delivery;
  return JSON.stringify({
    type: `${kind}.${ending === null ? 'raised' : ending === 'undone' ? 'withdrawn' : 'settled'}`,
    timestamp: raisedAt.toISOString(),
    data: {
      alertId: String(alertId),
      severity,
      customerId,
      /** The id of the message that it takes back. */
      withdraws: withdrawsMessageId,
      subject: message.subject,
      paragraphs: message.paragraphs,
      facts,
    },
  });
}

/** An incoming webhook of Slack, and of what speaks like it: https://api.slack.com/messaging/webhooks. */
export function slackBody(message: AlertMessage, link: string | null): string {
  const lines = [
    `*${slackText(message.subject)}*`,
    ...message.paragraphs.map(slackText),
    ...message.facts.map(([label, value]) => `${slackText(label)}: ${slackText(value)}`),
    ...(link === null ? [] : [`<${link}|Look>`]),
  ];
  return JSON.stringify({ text: lines.join('\n'), unfurl_links: false });
}

/** Their three characters, and those that format: a name is a name. */
function slackText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/([*_~`])/g, '\u200b$1');
}

/** An adaptive card, as the "workflows" of Teams take it: a message with one attachment. */
export function teamsBody(message: AlertMessage, link: string | null): string {
  const block = (text: string, more: object = {}) => ({
    type: 'TextBlock',
    text: cardText(text),
    wrap: true,
    ...more,
  });
  return JSON.stringify({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            block(message.subject, { weight: 'Bolder', size: 'Medium' }),
            ...message.paragraphs.map((paragraph) => block(paragraph)),
            ...(message.facts.length === 0
              ? []
              : [
                  {
                    type: 'FactSet',
                    facts: message.facts.map(([title, value]) => ({ title, value: cardText(value) })),
                  },
                ]),
          ],
          ...(link === null ? {} : { actions: [{ type: 'Action.OpenUrl', title: 'Look', url: link }] }),
        },
      },
    ],
  });
}

/** Cards read Markdown. */
function cardText(text: string): string {
  return text.replaceAll(/([\\*_`[\]()#])/g, '\\$1');
}
