import { CONSOLE_STYLE } from '../../console/frame/style.ts';
import { accentFor } from './accent.ts';

/** One column, on the sheet of the console; the seller's colour instead of its own. */
const PORTAL_STYLE = `
.portal { max-width: 880px; margin: 0 auto; padding: 0 20px 48px; }
.portal main { padding: 0; max-width: none; }
.masthead { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 20px; padding: 18px 0 14px; margin-bottom: 22px; border-bottom: 3px solid var(--accent); }
.masthead img { display: block; max-width: 180px; max-height: 44px; } .masthead .seller { font-size: 16px; font-weight: 650; overflow-wrap: anywhere; min-width: 0; }
.masthead nav { margin-left: auto; } .masthead ul { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; list-style: none; } .masthead [aria-current] { font-weight: 650; text-decoration: none; color: var(--ink); }
.portal .figures { grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); } .portal .chief dd { font-size: 24px; line-height: 1.25; } .portal .chief { border-color: var(--accent); } .amount { white-space: nowrap; }
.figures dd small + small { margin-top: 2px; }
.allowance { margin-top: 10px; } .allowance p { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 16px; } .allowance > div > p > * { min-width: 0; overflow-wrap: anywhere; } .allowance > div + div { margin-top: 10px; }
.gauge { display: block; width: 100%; height: 10px; margin-top: 4px; border-radius: 5px; overflow: hidden; } .gauge .whole { fill: var(--line); } .gauge .part { fill: var(--accent); } .gauge .part.full { fill: var(--warn); }
.hover.picked { fill: var(--accent); fill-opacity: 0.14; } .hover.passed { fill: var(--paper); fill-opacity: 0.62; } .hover.dragged { fill: var(--accent); fill-opacity: 0.25; } .plot a { cursor: pointer; } .plot { touch-action: pan-y; }
.live [data-hint][hidden] { display: block; } [data-hint] { color: var(--soft); font-size: 13px; }
.span-form { display: flex; flex-wrap: wrap; align-items: end; gap: 8px 12px; margin-top: 12px; } .span-form label > span { display: block; color: var(--soft); font-size: 13px; }
.span-form select { max-width: 100%; } .span-form label { min-width: 0; }
.plain-words { padding-left: 18px; } .plain-words li { margin: 4px 0; overflow-wrap: anywhere; }
.portal footer { margin-top: 36px; padding-top: 10px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; } .portal footer p + p { margin-top: 2px; } .portal footer p { overflow-wrap: anywhere; }
.portal article + article { margin-top: 44px; padding-top: 28px; border-top: 3px double var(--line); }
.totals.facts { grid-template-columns: minmax(0, 1fr) auto; margin-left: auto; padding-right: 10px; max-width: 420px; } .totals dd { max-width: none; } .portal :is(article, .table, .totals, .plain-words) + p { margin-top: 14px; } .chart + [data-hint] { margin-top: 8px; } .totals .grand { font-weight: 650; color: var(--ink); } .hash { font: 13px/1.4 ui-monospace, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.rest-row { font-style: italic; color: var(--soft); } .masthead + main .notice { margin-top: 16px; margin-bottom: 0; }
@media (max-width: 640px) { .portal .axis .spare { visibility: hidden; } .portal { padding: 0 14px 32px; } .masthead nav { margin-left: 0; flex-basis: 100%; } .portal .chief dd { font-size: 20px; } .parts table.plain :is(th, td):nth-child(3) { display: none; } .portal table.plain :is(th, td) { padding: 5px 6px; } .portal table.plain .long { min-width: 9ch; } .portal table.plain tbody th .short { white-space: normal; } .portal table.plain caption .tools { float: none; display: block; } .portal table.plain caption .tools a:first-of-type { margin-left: 8px; } }
@media print { .masthead nav, .span-form, [data-hint], .live [data-hint][hidden], .filters, .pager { display: none !important; } .portal { max-width: none; padding: 0; } .portal table.data, .portal table.data thead th { font-size: 12px; } .hover.passed, .hover.picked { fill: none; } .plot path, .swatch rect, .gauge rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;

/** The whole sheet for a seller. @param color as configured; null: ours */
export function portalStyle(color: string | null): string {
  const properties = (theme: 'light' | 'dark', tint: string) => {
    const { accent, onAccent } = accentFor(color, theme);
    return `--accent: ${accent}; --on-accent: ${onAccent}; --tint: ${tint};`;
  };
  return `${CONSOLE_STYLE}
:root { ${properties('light', '#eef1f4')} }
@media (prefers-color-scheme: dark) { :root { ${properties('dark', '#1d252d')} } }
@media print { :root { ${properties('light', '#ffffff')} } }
${PORTAL_STYLE}`;
}
