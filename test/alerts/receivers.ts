import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { startMailServer as listenForMail } from '../../sandbox/mail/mail-server.ts';

/** The sandbox's mail server, with its mail read. */
export interface MailServer {
  url: string;
  mails: Email[];
  /** Refuses with this reply as long as it is set. */
  refuseWith: { code: number; message: string } | null;
  close(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const mailServer: MailServer = { url: '', mails: [], refuseWith: null, close: async () => {} };
  const { url, close } = await listenForMail(async ({ source }) => {
    const { refuseWith } = mailServer;
    if (refuseWith !== null)
      throw Object.assign(new Error(refuseWith.message), { responseCode: refuseWith.code });
    mailServer.mails.push(await PostalMime.parse(source));
  });
  return Object.assign(mailServer, { url, close });
}

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What webhooks are sent to, on loopback. */
export interface Receiver {
  origin: string;
  received: Received[];
  /** What it answers; null: nothing, ever. */
  answer: { status: number; headers?: Record<string, string>; body?: string } | null;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { origin: '', received: [], answer: { status: 200 }, close: async () => {} };
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      receiver.received.push({ path, headers, body: Buffer.concat(chunks).toString() });
      if (receiver.answer === null) return;
      response
        .writeHead(receiver.answer.status, receiver.answer.headers ?? {})
        .end(receiver.answer.body ?? 'ok');
    });
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  receiver.close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return receiver;
}
