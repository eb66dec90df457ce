import { createHash } from 'node:crypto';
import type { Api } from '../../platform/http/dependencies.ts';
import { PORTAL_SCRIPT } from './script.ts';
import { portalStyle } from './style.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Adds sheet and script, with what they hold in their address, so that browsers may keep them for good. */
export function addPortalAssets(api: Api, color: string | null): { stylePath: string; scriptPath: string } {
  const style = portalStyle(color);
  const stylePath = `/portal/assets/${digest(style)}/portal.css`;
  const scriptPath = `/portal/assets/${digest(PORTAL_SCRIPT)}/portal.js`;
  for (const [path, body, type] of [
    [stylePath, style, 'text/css; charset=utf-8'],
    [scriptPath, PORTAL_SCRIPT, 'text/javascript; charset=utf-8'],
  ] as const) {
    api.get(path, (context) =>
      context.body(body, 200, {
        'Content-Type': type,
        'Cache-Control': 'public, max-age=31536000, immutable',
      }),
    );
  }
  return { stylePath, scriptPath };
}
