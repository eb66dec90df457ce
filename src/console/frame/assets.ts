import { createHash } from 'node:crypto';
import type { Api } from '../../platform/http/dependencies.ts';
import { CONSOLE_SCRIPT } from './script.ts';
import { CONSOLE_STYLE } from './style.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** With what they hold in their address, so that browsers may keep them for good. */
export const STYLE_PATH = `/console/assets/${digest(CONSOLE_STYLE)}/console.css`;
export const SCRIPT_PATH = `/console/assets/${digest(CONSOLE_SCRIPT)}/console.js`;

/** Adds sheet and script of console and portal. */
export function addConsoleAssets(api: Api): void {
  for (const [path, body, type] of [
    [STYLE_PATH, CONSOLE_STYLE, 'text/css; charset=utf-8'],
    [SCRIPT_PATH, CONSOLE_SCRIPT, 'text/javascript; charset=utf-8'],
  ] as const) {
    api.get(path, (context) =>
      context.body(body, 200, {
        'Content-Type': type,
        'Cache-Control': 'public, max-age=31536000, immutable',
      }),
    );
  }
}
