import { html } from 'hono/html';
import { createTransport } from 'nodemailer';
import type { AlertMessage } from '../../../pricing/alerts/message.ts';
import type { AttemptOutcome } from '../queue.ts';

const TIME_LIMIT_MS = 10_000;
/** Of node's errors those that end before the first byte; nodemailer keeps them in the message. */
const NEVER_REACHED = /EDNS|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/;

export interface Mail {
  from: string;
  to: readonly string[];
  messageId: string;
  /** Of the mail that it takes back, so that both stand together. */
  withdrawsMessageId: string | null;
  message: AlertMessage;
  link: string | null;
}

/** Sends one mail. @param smtpUrl the server, with user and password */
export async function sendMail(
  smtpUrl: string,
  mail: Mail,
  timeLimitMs = TIME_LIMIT_MS,
): Promise<AttemptOutcome> {
  const { subject, paragraphs, facts } = mail.message;
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: timeLimitMs,
    greetingTimeout: timeLimitMs,
    socketTimeout: timeLimitMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const idOf = (id: string) => `<${id}@${/@([^\s<>@]+)>?$/.exec(mail.from)?.[1] ?? 'tallystick'}>`;
  const isAnswer = mail.withdrawsMessageId !== null;
  try {
    await transport.sendMail({
      from: mail.from,
      to: [...mail.to],
      subject: subject.replaceAll(/[\p{Cc}\s]+/gu, ' '),
      messageId: idOf(mail.messageId),
      ...(isAnswer
        ? {
            inReplyTo: idOf(mail.withdrawsMessageId ?? ''),
            references: [idOf(mail.withdrawsMessageId ?? '')],
          }
        : {}),
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
      text: [
        ...paragraphs,
        ...(facts.length === 0 ? [] : [facts.map(([label, value]) => `${label}: ${value}`).join('\n')]),
        ...(mail.link === null ? [] : [mail.link]),
      ].join('\n\n'),
      html: await mailPage(mail.message, mail.link),
    });
    return { isSent: true, hasAnswer: true, answerStatus: null, error: null, isFinal: false };
  } catch (error) {
    const { code, responseCode, message } = error as {
      code?: string;
      responseCode?: number;
      message: string;
    };
    return {
      isSent: false,
      // Cut off on the way, nobody knows whether it was taken.
      hasAnswer: responseCode !== undefined || NEVER_REACHED.test(`${code} ${message}`),
      answerStatus: responseCode ?? null,
      error:
        responseCode === undefined
          ? `the mail server could not be reached (${code ?? 'unknown'})`
          : `the mail server answers ${responseCode}`,
      isFinal: false,
    };
  } finally {
    transport.close();
  }
}

/** Everything that is filled in is escaped. */
async function mailPage({ subject, paragraphs, facts }: AlertMessage, link: string | null): Promise<string> {
  const page = await html`<!doctype html>
<html><head><meta charset="utf-8"><title>${subject}</title></head>
<body style="font: 15px/1.5 system-ui, sans-serif; color: #1c2b33; max-width: 40em">
<h1 style="font-size: 18px">${subject}</h1>
${paragraphs.map((paragraph) => html`<p style="white-space: pre-line">${paragraph}</p>`)}
${facts.length === 0 ? '' : html`<table>${facts.map(([label, value]) => html`<tr><th scope="row" style="text-align: left; padding-right: 1em; font-weight: normal; color: #55666f">${label}</th><td>${value}</td></tr>`)}</table>`}
${link === null ? '' : html`<p><a href="${link}">Look</a></p>`}
</body></html>`;
  return String(page);
}
