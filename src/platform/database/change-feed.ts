import { addMs } from '../clock.ts';
import { ResilientClient } from './resilient-client.ts';

/** Tells that something was committed, without a question. */
export interface ChangeFeed {
  /**
   * How many changes were heard of; grows with each, and with each time that it begins to hear again. Null: it does not hear just
   * now, so that whoever wants to know has to ask. The first call begins to listen.
   */
  heard(): number | null;
  close(): Promise<void>;
}

interface FeedOptions {
  databaseUrl: string;
  /** Of NOTIFY; a plain word. */
  channel: string;
  /** Unless given, every ten seconds it looks whether its connection still answers. */
  checkEveryMs?: number;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const ANSWER_WITHIN_MS = 5_000;

/**
 * Listens on a connection of its own. Behind a pooler that hands its connections round, as PgBouncer in transaction mode does,
 * nothing would ever be heard: there the server says another process id than the connection began with, and the feed says null
 * for good. A connection that breaks is made anew, with patience.
 */
export function openChangeFeed({ databaseUrl, channel, checkEveryMs = 10_000 }: FeedOptions): ChangeFeed {
  let client: ResilientClient | null = null;
  let state: 'idle' | 'connecting' | 'hearing' | 'deaf' | 'closed' = 'idle';
  let count = 0;
  let waitMs = FIRST_WAIT_MS;
  let notBefore = new Date(0);
  let timer: NodeJS.Timeout | undefined;

  const lose = (lost: ResilientClient) => {
    if (client !== lost) return;
    client = null;
    clearInterval(timer);
    if (state === 'closed' || state === 'deaf') return;
    state = 'idle';
    notBefore = addMs(new Date(), waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    // Whoever waits for the orderly end of a connection that answers no more would wait long.
    lost.end().catch(() => {});
  };

  const connect = async () => {
    state = 'connecting';
    const next = new ResilientClient({
      connectionString: databaseUrl,
      application_name: 'tallystick-changes',
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_WITHIN_MS,
      query_timeout: ANSWER_WITHIN_MS,
    });
    client = next;
    next.on('error', () => lose(next));
    next.on('end', () => lose(next));
    next.on('notification', () => {
      count += 1;
    });
    try {
      await next.connect();
      const { rows } = await next.query<{ pid: number }>('select pg_backend_pid() as pid');
      if (rows[0]?.pid !== (next as unknown as { processID: number }).processID) {
        if (state === 'connecting') state = 'deaf';
        await next.end();
        return;
      }
      await next.query(`listen ${channel}`);
      if (client !== next || state !== 'connecting') return;
      // What was committed before is not told.
      count += 1;
      waitMs = FIRST_WAIT_MS;
      state = 'hearing';
      timer = setInterval(() => void next.query('select').catch(() => lose(next)), checkEveryMs).unref();
    } catch {
      lose(next);
    }
  };

  return {
    heard: () => {
      if (state === 'idle' && new Date() >= notBefore) void connect();
      return state === 'hearing' ? count : null;
    },
    close: async () => {
      state = 'closed';
      clearInterval(timer);
      await client?.end().catch(() => {});
    },
  };
}
