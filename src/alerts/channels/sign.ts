import { createHmac } from 'node:crypto';

/**
 * The headers of a signed webhook (standardwebhooks.com, version 1): its id, which stays the same however often it is sent, when it
 * is sent, and a signature for each secret, so that one can be exchanged for another.
 * @param secrets `whsec_` and base64, separated by spaces
 * @throws Error when one is not
 */
export function signedHeaders(
  { messageId, sentAt, body }: { messageId: string; sentAt: Date; body: string },
  secrets: string,
): Record<string, string> {
  const timestamp = String(Math.floor(sentAt.getTime() / 1_000));
  const signatures = secrets
    .split(/[\s,]+/)
    .filter((secret) => secret !== '')
    .map((secret) => {
      const [, key] = /^whsec_([A-Za-z0-9+/]{22,}={0,2})$/.exec(secret) ?? [];
      if (key === undefined) throw new Error('its secret is not whsec_ and base64');
      const hash = createHmac('sha256', Buffer.from(key, 'base64')).update(
        `${messageId}.${timestamp}.${body}`,
      );
      return `v1,${hash.digest('base64')}`;
    });
  if (signatures.length === 0) throw new Error('its secret is empty');
  return {
    'webhook-id': messageId,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
