import { afterEach, describe, expect, it } from 'vitest';
import { checkRedis } from '../../jobs/queue/queues.ts';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';
import { createLogger, type Logger } from '../../src/platform/log.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../setup/redis.ts';

let server: TestRedis | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** A log that keeps its warnings. */
function listen(): { log: Logger; warnings: string[] } {
  const warnings: string[] = [];
  const log = createLogger('silent');
  log.warn = ((message: string) => void warnings.push(message)) as Logger['warn'];
  return { log, warnings };
}

describe.runIf(hasRedisServer())('a Redis for the queue', () => {
  it('that keeps everything is taken without a word', async () => {
    server = await startTestRedis();
    const { log, warnings } = listen();
    await checkRedis(server.url, log);
    expect(warnings).toEqual([]);
  });

  it.each(['allkeys-lru', 'volatile-ttl'])('that may throw work away (%s) is refused', async (policy) => {
    server = await startTestRedis({ 'maxmemory-policy': policy });
    await expect(checkRedis(server.url, listen().log)).rejects.toMatchObject({
      code: 'CONFIG',
      retry: false,
      message: expect.stringContaining(policy),
      fix: 'Set maxmemory-policy to noeviction.',
    });
  });

  it('that forgets at a restart is warned of', async () => {
    server = await startTestRedis({ appendonly: 'no' });
    const { log, warnings } = listen();
    await checkRedis(server.url, log);
    expect(warnings).toEqual([expect.stringContaining('append-only')]);
  });

  it('that wants another password is told of, and the password is not', async () => {
    server = await startTestRedis({ requirepass: 'right' });
    const url = server.url.replace('redis://', 'redis://:wrong-secret@');
    const refusal = await checkRedis(url, listen().log).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      fix: expect.stringContaining('REDIS_URL'),
    });
    expect(String(refusal)).not.toContain('wrong-secret');
  });
});

describe('a Redis that does not answer', () => {
  it('is named with the fix, and without its password', async () => {
    const port = await findFreePort();
    const refusal = await checkRedis(`redis://user:secret@127.0.0.1:${port}`, listen().log).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      message: `Redis at 127.0.0.1:${port} cannot be reached.`,
      fix: expect.stringContaining('REDIS_URL'),
    });
    expect(String(refusal)).not.toContain('secret');
  });
});
