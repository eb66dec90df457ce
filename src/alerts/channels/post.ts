import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { AttemptOutcome } from '../queue.ts';
import { lookupPublic, RefusedTarget, readTarget } from './target.ts';

/** A receiver has so long for its whole answer. */
const TIME_LIMIT_MS = 10_000;
/** Of an answer nobody reads more. */
const MOST_ANSWER_BYTES = 64 * 1_024;
const GONE = 410;

export interface Post {
  target: string;
  listedOrigins: readonly string[];
  body: string;
  headers: Record<string, string>;
  timeLimitMs?: number;
}

/**
 * Posts JSON to a webhook. Redirects are not followed: an answer that is one is a failure, as is every other but 2xx. What
 * receivers answer is not kept, as it could be anything.
 */
export async function postJson(
  { target, listedOrigins, body, headers, timeLimitMs = TIME_LIMIT_MS }: Post,
  signal?: AbortSignal,
): Promise<AttemptOutcome> {
  let isConnected = false;
  try {
    const { url, isListed } = readTarget(target, listedOrigins);
    const limit = AbortSignal.timeout(timeLimitMs);
    const status = await new Promise<number>((resolve, reject) => {
      const send = url.protocol === 'https:' ? requestHttps : requestHttp;
      const call = send(url, {
        method: 'POST',
        agent: false,
        ...(isListed ? {} : { lookup: lookupPublic }),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'tallystick',
          ...headers,
        },
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
      call.on('socket', (socket) => {
        socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
          isConnected = true;
        });
      });
      call.on('error', reject);
      call.on('response', (response) => {
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MOST_ANSWER_BYTES) response.destroy();
        });
        response.on('error', reject);
        response.on('close', () => resolve(response.statusCode ?? 0));
      });
      call.end(body);
    });
    const isSent = status >= 200 && status < 300;
    const isRedirect = status >= 300 && status < 400;
    return {
      isSent,
      hasAnswer: true,
      answerStatus: status,
      error: isSent
        ? null
        : isRedirect
          ? `answers ${status}, and redirects are not followed`
          : `answers ${status}`,
      isFinal: status === GONE,
    };
  } catch (error) {
    return {
      isSent: false,
      // What was refused, or could not be reached, has not arrived.
      hasAnswer: !isConnected,
      answerStatus: null,
      error: sayFailure(error, timeLimitMs),
      isFinal: false,
    };
  }
}

/** Never with the address: those of Slack and Teams are secrets. */
function sayFailure(error: unknown, timeLimitMs: number): string {
  if (error instanceof RefusedTarget) return `refused: ${error.message}`;
  const { name, code } = error as { name?: string; code?: string };
  if (name === 'AbortError' || name === 'TimeoutError')
    return `gave no answer within ${timeLimitMs / 1_000} s`;
  return `could not be reached (${code ?? name ?? 'unknown'})`;
}
