import type { Context } from 'hono';
import { decodeText } from '../text-bytes.ts';

/** A request's body as text, which must be UTF-8. @throws ValidationError */
export async function readTextBody(context: Context): Promise<string> {
  return decodeText(new Uint8Array(await context.req.arrayBuffer()), 'body');
}
