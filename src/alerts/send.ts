import { systemClock } from '../platform/clock.ts';
import { signedBody, slackBody, teamsBody } from './channels/bodies.ts';
import { sendMail } from './channels/mail.ts';
import { postJson } from './channels/post.ts';
import { signedHeaders } from './channels/sign.ts';
import type { AttemptOutcome, DueDelivery } from './queue.ts';
import type { AlertRoute } from './route-store.ts';
import type { AlertTools } from './tools.ts';
import { messageFor } from './words.ts';

/** Sends one delivery over the channel of its route. What is not configured is a failed try, so that mending it is enough. */
export async function sendDelivery(
  { delivery, route }: { delivery: DueDelivery; route: AlertRoute },
  { settings, publicUrl, timeLimitMs }: AlertTools,
  signal?: AbortSignal,
): Promise<AttemptOutcome> {
  const message = messageFor(delivery, route);
  const link =
    message.path === null || publicUrl === undefined
      ? null
      : `${publicUrl.replace(/\/$/, '')}${message.path}`;
  const limit = timeLimitMs === undefined ? {} : { timeLimitMs };
  if (route.channel === 'email') {
    const { smtpUrl, from } = settings;
    if (smtpUrl === null || from === null) return notConfigured('ALERT_SMTP_URL or ALERT_FROM is not set');
    const { messageId, withdrawsMessageId } = delivery;
    return await sendMail(
      smtpUrl,
      { from, to: route.emailAddresses, messageId, withdrawsMessageId, message, link },
      timeLimitMs,
    );
  }
  const secret = settings.secrets[route.secretName ?? ''];
  if (secret === undefined) return notConfigured(`${route.secretName} is not set`);
  const { listedOrigins } = settings;
  if (route.channel === 'slack') {
    return await postJson(
      { target: secret, listedOrigins, body: slackBody(message, link), headers: {}, ...limit },
      signal,
    );
  }
  if (route.channel === 'teams') {
    return await postJson(
      { target: secret, listedOrigins, body: teamsBody(message, link), headers: {}, ...limit },
      signal,
    );
  }
  const body = signedBody({ delivery, message, facts: delivery.facts });
  let headers: Record<string, string>;
  // Receivers hold it against their own clocks, whatever time ours plays.
  try {
    headers = signedHeaders({ messageId: delivery.messageId, sentAt: systemClock.now(), body }, secret);
  } catch (error) {
    return notConfigured(`${route.secretName}: ${(error as Error).message}`);
  }
  return await postJson({ target: route.targetUrl ?? '', listedOrigins, body, headers, ...limit }, signal);
}

function notConfigured(error: string): AttemptOutcome {
  return { isSent: false, hasAnswer: true, answerStatus: null, error, isFinal: false };
}
