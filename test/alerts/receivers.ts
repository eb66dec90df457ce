import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

/** A real mail server on loopback. */
export interface MailServer {
  url: string;
  mails: Email[];
  /** Refuses with this reply as long as it is set. */
  refuseWith: { code: number; message: string } | null;
  close(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const mailServer: MailServer = { url: '', mails: [], refuseWith: null, close: async () => {} };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, _session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const { refuseWith } = mailServer;
        if (refuseWith !== null) {
          callback(Object.assign(new Error(refuseWith.message), { responseCode: refuseWith.code }));
          return;
        }
        mailServer.mails.push(await PostalMime.parse(Buffer.concat(chunks)));
        callback();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  mailServer.url = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  mailServer.close = async () => await new Promise((resolve) => server.close(resolve));
  return mailServer;
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
