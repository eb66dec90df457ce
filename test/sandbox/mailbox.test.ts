import { rmSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { type Post, startPost } from '../../sandbox/mail/post.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { sendMail } from '../../src/alerts/channels/mail.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';

const stateDirectory = makeTemporaryDirectory('mail');
afterAll(() => rmSync(stateDirectory, { recursive: true, force: true }));

const read = async ({ pageUrl }: Post, path = '/') => {
  const response = await fetch(`${pageUrl}${path}`);
  return { status: response.status, text: await response.text(), headers: response.headers };
};

it('keeps what alerts send, shows it as text whatever it says, and has it again at the next start', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 9, 21, 7, 30));
  const first = await startPost({ clock, stateDirectory });
  expect((await read(first)).text).toContain('No mail has come yet.');
  const send = async (messageId: string, subject: string) =>
    await sendMail(first.smtpUrl, {
      from: 'Tallystick <tallystick@example.com>',
      to: ['one@example.com', 'two@example.com'],
      messageId,
      withdrawsMessageId: null,
      message: {
        subject,
        paragraphs: ['<script>alert(1)</script>', 'Gr\u00fc\u00dfe'],
        facts: [['cost', '14.56 USD']],
        path: null,
      },
      link: 'http://localhost:3000/console/anomalies/7',
    });
  expect(await send('msg_1', 'The first')).toMatchObject({ isSent: true });
  clock.advanceTo(Date.UTC(2026, 9, 21, 8, 30));
  expect(await send('msg_2', '<b>A loop</b>')).toMatchObject({ isSent: true });
  await first.close();

  const second = await startPost({ clock, stateDirectory });
  const list = await read(second);
  expect(list.text).toContain('2 mails, the newest first.');
  expect(list.text.indexOf('A loop')).toBeLessThan(list.text.indexOf('The first'));
  expect(list.text).toContain('&lt;b&gt;A loop&lt;/b&gt;');
  expect(list.headers.get('content-security-policy')).toContain("default-src 'none'");
  const mail = await read(second, '/mails/1');
  expect(mail.text).toContain(
    '2026-10-21 08:30 UTC, from tallystick@example.com to one@example.com, two@example.com',
  );
  expect(mail.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(mail.text).not.toContain('<script');
  expect(mail.text).toContain('Gr\u00fc\u00dfe');
  expect(mail.text).toContain('<a href="http://localhost:3000/console/anomalies/7">');
  for (const path of ['/mails/2', '/mails/x', '/other']) expect((await read(second, path)).status).toBe(404);
  await second.close();
});
