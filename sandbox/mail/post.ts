import { listen } from '../listen.ts';
import type { StandInContext } from '../stand-in.ts';
import { startMailServer } from './mail-server.ts';
import { Mailbox } from './mailbox.ts';
import { createMailPages } from './page.ts';

/** A mail server, and the pages on which its mail is read. */
export interface Post {
  smtpUrl: string;
  pageUrl: string;
  close(): Promise<void>;
}

export async function startPost(context: Pick<StandInContext, 'clock' | 'stateDirectory'>): Promise<Post> {
  const mailbox = new Mailbox(context);
  const [server, pages] = await Promise.all([
    startMailServer((mail) => mailbox.take(mail)),
    listen(createMailPages(mailbox).fetch),
  ]);
  return {
    smtpUrl: server.url,
    pageUrl: pages.url,
    close: async () => {
      await Promise.all([server.close(), pages.close()]);
      mailbox.close();
    },
  };
}
