import { QUOTE_STYLE } from '../../pages/style.ts';

/** The quote's sheet, and what a statement has beside it: a drawing, tables side by side, users in columns. */
export const STATEMENT_STYLE = `${QUOTE_STYLE}
:root { --c0: #0b5c74; --c1: #e08e2b; --c2: #6b4fa0; --c3: #2f9e6e; --c4: #c2475b; --c5: #4c86c6; --c6: #a68a1f; --c7: #8a95a1; --warn: #8a4b00; --warn-tint: #fdf3e3; }
@media (prefers-color-scheme: dark) { :root { --c0: #4fb3cf; --c1: #f0ad5a; --c2: #a993dd; --c3: #5cc79a; --c4: #ee8494; --c5: #86b6ec; --c6: #d9c25e; --c7: #8c98a5; --warn: #f3c27a; --warn-tint: #2c2415; } }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); }
.c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); } .c7 { fill: var(--c7); }
h2 { scroll-margin-top: 1rem; }
.lines thead th:first-child { width: 46%; }
.sums th, .sums td { border-bottom: 0; padding-top: 0.25rem; padding-bottom: 0.25rem; font-weight: 400; color: var(--soft); }
.lines .sums tr > * { border-top: 0; }
.lines .sums tr.first > * { border-top: 2px solid var(--ink); padding-top: 0.6rem; }
.lines .sums tr.grand:not(.first) > * { border-top: 1px solid var(--line); }
.sums tr.grand > * { color: var(--ink); font-weight: 680; padding-top: 0.5rem; }
.tag { display: inline-block; margin-left: 0.4rem; padding: 0.02rem 0.45rem; border: 1px solid var(--accent); border-radius: 99px; color: var(--accent); font-size: 0.74rem; font-weight: 600; vertical-align: 0.08em; }
.notice { margin: 1.4rem 0 0; padding: 0.75rem 1rem; border-left: 4px solid var(--warn); border-radius: 0 6px 6px 0; background: var(--warn-tint); color: var(--warn); font-size: 0.95rem; }
.notice p { margin: 0.15rem 0; }
.month { display: grid; grid-template-columns: auto 1fr; gap: 0.3rem 0.6rem; margin: 0.9rem 0 0; }
.scale { display: flex; flex-direction: column; justify-content: space-between; color: var(--soft); font-size: 0.75rem; line-height: 1; text-align: right; font-variant-numeric: tabular-nums; }
.bars { display: block; width: 100%; height: 11rem; border-bottom: 1px solid var(--soft); }
.bars rect { stroke: var(--paper); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.bars .grid { stroke: var(--line); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.axis { grid-column: 2; display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); margin: 0; padding: 0; list-style: none; color: var(--soft); font-size: 0.75rem; line-height: 1.2; }
.axis li { min-width: 0; white-space: nowrap; }
.legend { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0.15rem 1.1rem; margin: 0.35rem 0 0; padding: 0; list-style: none; font-size: 0.88rem; }
.swatch { width: 0.7rem; height: 0.7rem; margin-right: 0.4rem; vertical-align: -0.03em; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 2.6rem; }
.pair > section { min-width: 0; }
.breakdown { font-size: 0.9rem; }
.breakdown th, .breakdown td { padding-top: 0.34rem; padding-bottom: 0.34rem; }
.breakdown tbody th { overflow-wrap: anywhere; }
.breakdown .rest th, .breakdown .rest td { color: var(--soft); font-style: italic; }
.columns { columns: 2; column-gap: 2.6rem; column-rule: 1px solid var(--line); }
.columns table { font-size: 0.85rem; }
.columns tr { break-inside: avoid; }
.columns th, .columns td { padding-top: 0.26rem; padding-bottom: 0.26rem; }
.plain { margin: 0.2rem 0 0; padding-left: 1.15rem; }
.plain li { margin: 0.3rem 0; }
.how { color: var(--soft); font-size: 0.92rem; }
.hash { font-family: ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; font-size: 0.92em; }
footer a { color: var(--accent); }
article + article { margin-top: 3.5rem; padding-top: 2rem; border-top: 3px double var(--line); }
@media (max-width: 40rem) {
  .pair { grid-template-columns: 1fr; }
  .columns { columns: 1; }
  .bars { height: 9rem; }
  .lines tbody td.number:nth-child(2):not(:empty)::after { content: ' tokens'; color: var(--soft); font-size: 0.85rem; }
  .lines .zero { display: block; }
  .lines .sums tr { display: flex; justify-content: space-between; gap: 1rem; padding: 0.15rem 0; border: 0; }
  .lines .sums td:not(:last-child) { display: none; }
  .lines .sums td.number:last-child { font-weight: inherit; }
  .lines .sums tr > * { border: 0; padding: 0; }
  .lines .sums tr.first { border-top: 2px solid var(--ink); padding-top: 0.5rem; }
  .lines .sums tr.grand { border-top: 1px solid var(--line); padding-top: 0.4rem; }
}
@media print {
  :root { --c0: #0b5c74; --c1: #e08e2b; --c2: #6b4fa0; --c3: #2f9e6e; --c4: #c2475b; --c5: #4c86c6; --c6: #a68a1f; --c7: #8a95a1; --warn: #5a3200; --warn-tint: #ffffff; }
  body { font-size: 9.5pt; }
  h2 { margin-top: 0.9rem; margin-bottom: 0.25rem; font-size: 0.98rem; }
  header { padding-bottom: 0.7rem; }
  .total { margin-top: 0.7rem; padding: 0.55rem 0.9rem; }
  .total .amount { font-size: 1.6rem; }
  .lines { font-size: 8.6pt; }
  .lines th, .lines td { padding-top: 0.14rem; padding-bottom: 0.14rem; }
  .lines .detail { display: inline; margin-left: 0.4rem; font-size: 0.92em; }
  .bars { height: 3cm; }
  .bars rect, .swatch rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .month, .notice { break-inside: avoid; }
  .breakdown { font-size: 8pt; line-height: 1.25; }
  .breakdown th, .breakdown td { padding-top: 0.1rem; padding-bottom: 0.1rem; }
  h1 { font-size: 1.45rem; }
  .for { font-size: 0.95rem; margin-top: 0.15rem; }
  .facts { font-size: 0.8rem; gap: 0.02rem 0.8rem; }
  .tag { margin-left: 0.3rem; padding: 0 0.3rem; font-size: 0.9em; line-height: 1.15; }
  .plain, .how, .notice { font-size: 8.6pt; }
  .notice { margin-top: 0.6rem; padding: 0.3rem 0.8rem; border: 1px solid var(--line); border-left: 4px solid var(--warn); }
  .legend { font-size: 8pt; }
  thead th { font-size: 0.9em; }
  .columns { columns: 3; column-gap: 0.6cm; }
  .columns table { font-size: 6.6pt; line-height: 1.15; }
  .columns th, .columns td { padding: 0.02rem 0.15rem; }
  .days.columns { columns: 2; }
  .days.columns table { font-size: 8pt; }
  .screen { display: none; }
  footer { margin-top: 0.8rem; padding-top: 0.5rem; }
}
`;
