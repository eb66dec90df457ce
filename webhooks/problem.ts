import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

export type WebhookProblemCode =
  | 'WEBHOOK_NOT_CONFIGURED'
  | 'WEBHOOK_SIGNATURE_INVALID'
  | 'WEBHOOK_EVENT_INVALID'
  | 'PAYLOAD_TOO_LARGE';

const STATUS_AND_TITLE: Record<WebhookProblemCode, [ContentfulStatusCode, string]> = {
  WEBHOOK_NOT_CONFIGURED: [503, 'This webhook has no secret'],
  WEBHOOK_SIGNATURE_INVALID: [400, 'The signature does not prove who sent this'],
  WEBHOOK_EVENT_INVALID: [400, 'The body is no event of this kind'],
  PAYLOAD_TOO_LARGE: [413, 'The body is too large'],
};

/** An answer of `application/problem+json` (RFC 9457). The sender sees it in its own log of deliveries. */
export function webhookProblem(context: Context, code: WebhookProblemCode, detail: string): Response {
  const [status, title] = STATUS_AND_TITLE[code];
  const requestId: unknown = context.get('requestId');
  const body = {
    type: `urn:tallystick:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail,
    ...(typeof requestId === 'string' ? { requestId } : {}),
  };
  return context.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json' });
}
