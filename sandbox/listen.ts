import { type ServerType, serve } from '@hono/node-server';
import type { Hono } from 'hono';

export interface Listening {
  url: string;
  /** Down: the port is closed and connections are refused, until it is up again, on the same port. */
  setDown(down: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Serves a handler on a free loopback port. */
export async function listen(fetch: Hono['fetch']): Promise<Listening> {
  const start = (port: number) =>
    new Promise<{ server: ServerType; port: number }>((resolve, reject) => {
      const server = serve({ fetch, hostname: '127.0.0.1', port }, (address) => {
        resolve({ server, port: address.port });
      });
      server.once('error', reject);
    });
  const { server, port } = await start(0);
  let open: ServerType | null = server;
  const stop = async () => {
    const closing = open;
    open = null;
    if (closing === null) return;
    await new Promise<void>((done) => {
      closing.close(() => done());
      if ('closeAllConnections' in closing) closing.closeAllConnections();
    });
  };
  return {
    url: `http://127.0.0.1:${port}`,
    setDown: async (down) => {
      if (down) await stop();
      else open ??= (await start(port)).server;
    },
    close: stop,
  };
}
