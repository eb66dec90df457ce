import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A mail as it came. */
export interface TakenMail {
  recipients: string[];
  source: Buffer;
}

export interface MailServer {
  url: string;
  close(): Promise<void>;
}

const MOST_BYTES = 10_000_000;

/**
 * A real mail server on a free loopback port; it lets everybody in, and sends nothing on.
 * @param take keeps a mail before it is acknowledged; what it throws is the refusal, with its `responseCode`
 */
export async function startMailServer(take: (mail: TakenMail) => Promise<void> | void): Promise<MailServer> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    size: MOST_BYTES,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        try {
          if (stream.sizeExceeded) throw Object.assign(new Error('Too large'), { responseCode: 552 });
          const recipients = session.envelope.rcptTo.map(({ address }) => address);
          await take({ recipients, source: Buffer.concat(chunks) });
          callback();
        } catch (error) {
          callback(error as Error);
        }
      });
    },
  });
  // A client that goes away in the middle of a mail is its own trouble.
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    close: async () => await new Promise((resolve) => server.close(() => resolve())),
  };
}
