import { Hono } from 'hono';
import { html } from 'hono/html';
import PostalMime, { type Email } from 'postal-mime';
import { addStyle, PAGE_HEADERS, pageDocument } from '../../src/pages/document.ts';
import type { KeptMail, Mailbox } from './mailbox.ts';
import { MAIL_STYLE } from './style.ts';

const STYLE_PATH = '/mail.css';
const MOST_LISTED = 200;

/** The mailbox for people: what came, and each mail as text. Nothing that a mail says is more than text here. */
export function createMailPages(mailbox: Mailbox): Hono {
  const app = new Hono();
  addStyle(app, STYLE_PATH, MAIL_STYLE);
  app.get('/', async (context) => {
    const { mails } = mailbox;
    const first = Math.max(0, mails.length - MOST_LISTED);
    const listed = await Promise.all(
      mails
        .slice(first)
        .map(async (mail, index) => ({ mail, number: first + index, read: await read(mail) })),
    );
    const page = pageDocument(
      { title: 'Mail of the demo', stylePath: STYLE_PATH },
      html`<main>
        <h1>Mail of the demo</h1>
        <p class="soft">${describeCount(mails.length)} Nothing of it leaves this machine.</p>
        ${
          listed.length === 0
            ? ''
            : html`<ol class="mails">${listed.reverse().map(
                ({ mail, number, read: { subject } }) => html`<li>
                  <a href="/mails/${number}">${subject ?? '(no subject)'}</a>
                  <span class="soft">${instantName(mail.at)}, to ${mail.recipients.join(', ')}</span>
                </li>`,
              )}</ol>`
        }
      </main>`,
    );
    return context.html(page, 200, PAGE_HEADERS);
  });
  app.get('/mails/:number{[0-9]{1,9}}', async (context) => {
    const mail = mailbox.mails[Number(context.req.param('number'))];
    return mail === undefined
      ? context.html(missingPage(), 404, PAGE_HEADERS)
      : context.html(mailPage(mail, await read(mail)), 200, PAGE_HEADERS);
  });
  app.notFound((context) => context.html(missingPage(), 404, PAGE_HEADERS));
  return app;
}

async function read({ source }: KeptMail): Promise<Email> {
  return await PostalMime.parse(Buffer.from(source, 'base64'));
}

function describeCount(count: number): string {
  if (count === 0) return 'No mail has come yet.';
  const all = `${count.toLocaleString('en')} ${count === 1 ? 'mail' : 'mails'}, the newest first.`;
  return count > MOST_LISTED ? `${all} The newest ${MOST_LISTED} are listed.` : all;
}

function mailPage(mail: KeptMail, { subject, from, text }: Email) {
  return pageDocument(
    { title: subject ?? '(no subject)', stylePath: STYLE_PATH },
    html`<main>
      <p><a href="/">All mail</a></p>
      <h1>${subject ?? '(no subject)'}</h1>
      <p class="soft">${instantName(mail.at)}, from ${from?.address ?? 'nobody'} to ${mail.recipients.join(', ')}</p>
      <div class="text">${(text ?? '')
        .trim()
        .split(/(https?:\/\/\S+)/)
        .map(linked)}</div>
    </main>`,
  );
}

/** Of a text divided at its addresses, each second part is one. */
function linked(part: string, index: number) {
  return index % 2 === 0 ? part : html`<a href="${part}">${part}</a>`;
}

function missingPage() {
  return pageDocument(
    { title: 'No such mail', stylePath: STYLE_PATH },
    html`<main><h1>No such mail</h1><p><a href="/">All mail</a></p></main>`,
  );
}

function instantName(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
