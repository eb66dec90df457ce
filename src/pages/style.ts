/** Where there is little room. */
const NARROW = `  main, .sheet { margin: 0; padding: 1.5rem 1.1rem; border: 0; border-radius: 0; }
  h1, .title { font-size: 1.5rem; }
  .facts dd { text-align: left; }
  .range { grid-template-columns: 1fr; }
  .seller address { margin-left: 0; text-align: left; }
  .lines thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .lines tr { display: grid; grid-template-columns: 1fr auto; gap: 0.1rem 1rem; padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
  .lines th, .lines td { padding: 0; border: 0; }
  .lines tbody th, .lines tfoot th { grid-column: 1 / -1; }
  .lines td.number { text-align: left; white-space: normal; }
  .lines td.number:last-child { grid-column: 2; text-align: right; font-weight: 600; }
  .lines td.unit { order: 1; grid-column: 1 / -1; color: var(--soft); font-size: 0.85rem; }
  .lines td:empty { display: none; }
  .lines tfoot td:not(:last-child) { display: none; }
  .lines tfoot tr { border-bottom: 0; border-top: 2px solid var(--ink); grid-template-columns: 1fr auto; }
  .lines tfoot th { grid-column: 1; }
  .scroll { overflow-x: auto; }`;

/** Sheet of the quote's page: readable on a phone, in the dark, and on paper (A4, white, without shades). */
export const QUOTE_STYLE = `
:root, :host { color-scheme: light dark; --ink: #1b2430; --soft: #55606e; --line: #d9dee5; --paper: #ffffff; --ground: #f1f3f6; --accent: #0b5c74; --tint: #eef5f7; }
@media (prefers-color-scheme: dark) {
  :root, :host { --ink: #e7ebf0; --soft: #a9b4c0; --line: #38424e; --paper: #171d24; --ground: #0e1216; --accent: #6cc3dc; --tint: #1c2a31; }
}
* { box-sizing: border-box; }
body, :host { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
main, .sheet { max-width: 52rem; margin: 2rem auto; padding: 3rem 3.25rem 2.5rem; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 1rem 2rem; padding-bottom: 1.4rem; border-bottom: 3px solid var(--accent); }
h1, .title { margin: 0; font-weight: 700; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 0.6rem; font-size: 1.05rem; letter-spacing: 0.01em; }
p { margin: 0.4rem 0; }
.kicker { margin: 0 0 0.35rem; color: var(--accent); font-size: 0.78rem; font-weight: 650; letter-spacing: 0.12em; text-transform: uppercase; }
.for { margin: 0.35rem 0 0; color: var(--soft); font-size: 1.05rem; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: auto auto; align-content: start; gap: 0.15rem 0.9rem; margin: 0.2rem 0 0; font-size: 0.9rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.total { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 0.2rem 1.5rem; margin: 1.8rem 0 0; padding: 1.1rem 1.3rem; background: var(--tint); border-left: 4px solid var(--accent); border-radius: 0 6px 6px 0; }
.total .label { font-weight: 600; }
.total .amount { font-size: 2.1rem; font-weight: 680; line-height: 1.15; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.total .note { flex-basis: 100%; margin: 0; color: var(--soft); font-size: 0.9rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.95rem; }
caption { text-align: left; color: var(--soft); font-size: 0.9rem; padding-bottom: 0.4rem; }
th, td { padding: 0.55rem 0.5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-size: 0.8rem; font-weight: 600; border-bottom: 2px solid var(--line); }
tbody th { font-weight: 500; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.lines thead th:first-child { width: 40%; }
.lines .unit { white-space: normal; text-wrap: balance; }
.detail { display: block; color: var(--soft); font-size: 0.85rem; font-weight: 400; }
tfoot th, tfoot td { border-bottom: 0; border-top: 2px solid var(--ink); font-weight: 680; }
.range { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.8rem; margin: 0.6rem 0; padding: 0; list-style: none; }
.range li { padding: 0.7rem 0.9rem; border: 1px solid var(--line); border-radius: 6px; }
.range .expected { border-color: var(--accent); }
.range .name { display: block; color: var(--soft); font-size: 0.85rem; }
.range .value { font-size: 1.15rem; font-weight: 620; font-variant-numeric: tabular-nums; }
.assumptions { margin: 0; padding-left: 1.15rem; color: var(--soft); font-size: 0.92rem; }
.assumptions li { margin: 0.25rem 0; }
.internal { margin-top: 2.4rem; padding: 0.2rem 1.3rem 1rem; border: 2px dashed var(--accent); border-radius: 8px; }
.internal h2 { margin-top: 1rem; }
.seller { display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between; gap: 0.8rem 2rem; margin-bottom: 1.8rem; }
.seller img { max-width: 14rem; max-height: 4rem; }
.seller address { margin-left: auto; color: var(--soft); font-size: 0.85rem; font-style: normal; line-height: 1.45; text-align: right; overflow-wrap: anywhere; }
.seller address > * { display: block; } .seller strong { color: var(--ink); font-size: 0.95rem; }
.terms { color: var(--soft); font-size: 0.92rem; overflow-wrap: anywhere; } .terms p { margin: 0.5rem 0; }
.accept { margin-top: 2.2rem; padding: 0.2rem 1.3rem 1.1rem; border: 1px solid var(--line); border-radius: 8px; } .accept h2 { margin-top: 1rem; }
.accept form { display: grid; gap: 0.8rem; } .accept label > span { display: block; font-size: 0.9rem; font-weight: 600; }
.accept input:not([type=checkbox]) { width: 100%; max-width: 24rem; padding: 0.5rem 0.7rem; border: 1px solid var(--soft); border-radius: 6px; background: var(--paper); color: var(--ink); font: inherit; }
.accept .agree { display: flex; align-items: baseline; gap: 0.6rem; } .accept input[type=checkbox] { accent-color: var(--accent); flex: none; }
.accept button { justify-self: start; padding: 0.6rem 1.2rem; border: 0; border-radius: 6px; background: var(--accent); color: var(--paper); font: inherit; font-weight: 650; cursor: pointer; } .accept :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.accepted { overflow-wrap: anywhere; } .sign { display: none; }
.notice { margin: 0 0 1.6rem; padding: 0.7rem 1rem; border-left: 4px solid var(--accent); background: var(--tint); overflow-wrap: anywhere; }
footer { margin-top: 2.2rem; padding-top: 0.9rem; border-top: 1px solid var(--line); color: var(--soft); font-size: 0.82rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
${NARROW}
}
/* Beside something else, as the console shows it. */
:host { display: block; container-type: inline-size; border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
:host > .sheet { margin: 0 auto; padding: 1.75rem 1.75rem 1.5rem; border: 0; border-radius: 0; }
@container (max-width: 32rem) {
${NARROW}
}
@page { size: A4; margin: 16mm 16mm 18mm; }
@media print {
  :root, :host { color-scheme: light; --ink: #111820; --soft: #46505c; --line: #ccd2d9; --paper: #ffffff; --ground: #ffffff; --accent: #0b5c74; --tint: #ffffff; }
  body, :host { font-size: 10.5pt; line-height: 1.4; }
  main, .sheet { max-width: none; margin: 0; padding: 0; border: 0; }
  h2 { margin-top: 1.3rem; break-after: avoid; }
  .total { margin-top: 1.1rem; border: 1px solid var(--line); border-left: 4px solid var(--accent); }
  th, td { padding-top: 0.32rem; padding-bottom: 0.32rem; }
  tr, .range, .total { break-inside: avoid; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  .accept { margin-top: 1.3rem; padding: 0.2rem 1rem 0.8rem; break-inside: avoid; } .accept form, .screen, .notice { display: none; }
  .sign { display: grid; grid-template-columns: auto 1fr; gap: 1.1rem 1rem; margin: 0.6rem 0; } .sign dd { margin: 0; border-bottom: 1px solid var(--soft); }
  footer { margin-top: 1.3rem; }
}
`;
