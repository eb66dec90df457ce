/** The one sheet of console and portal: light, dark, phone, paper. Everything that has a colour takes it from a property. */
export const CONSOLE_STYLE = `
:root { color-scheme: light dark;
  --ink: #1b2430; --soft: #556170; --line: #d9dee5; --paper: #ffffff; --ground: #f4f6f8; --tint: #eef5f7;
  --accent: #0b5c74; --on-accent: #ffffff; --warn: #8a4b00; --warn-tint: #fdf3e3; --danger: #a3202f; --danger-tint: #fdecee; --good: #1d6b47;
  --k0: #0b5c74; --k1: #e08e2b; --k2: #6b4fa0; --k3: #2f9e6e; --k4: #c2475b; --k5: #4c86c6; --k6: #a68a1f; --k7: #b05a9c; --k8: #5b7a2e; --k9: #d46a3a; --k10: #3f5fb0; --k11: #2fa3a8; --rest: #8a95a1; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e7ebf0; --soft: #a9b4c0; --line: #343e4a; --paper: #171d24; --ground: #0e1216; --tint: #1c2a31;
  --accent: #6cc3dc; --on-accent: #0c1a20; --warn: #f3c27a; --warn-tint: #2c2415; --danger: #ff9aa5; --danger-tint: #33191d; --good: #6fd0a1;
  --k0: #4fb3cf; --k1: #f0ad5a; --k2: #a993dd; --k3: #5cc79a; --k4: #ee8494; --k5: #86b6ec; --k6: #d9c25e; --k7: #dd97cb; --k8: #a3c470; --k9: #f09a72; --k10: #8fa7ef; --k11: #6fd3d7; --rest: #7d8894; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 14px/1.45 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
a { color: var(--accent); text-underline-offset: 0.15em; text-decoration-thickness: from-font; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
main:focus { outline: none; }
h1, h2, h3, p, figure, dl, dd, ul, ol { margin: 0; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { margin: 32px 0 8px; font-size: 16px; line-height: 1.3; scroll-margin-top: 1rem; overflow-wrap: anywhere; }
h3 { margin: 16px 0 4px; font-size: 14px; }
.muted { color: var(--soft); }
.unknown { color: var(--warn); font-style: italic; }
.good { color: var(--good); } .bad { color: var(--danger); }
.lead { margin-top: 6px; color: var(--soft); font-size: 16px; max-width: 70ch; overflow-wrap: anywhere; }
/* Said to those who cannot see what stands beside it. */
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -999px; top: 8px; padding: 6px 12px; background: var(--paper); z-index: 3; }
.skip:focus { left: 8px; }

.frame { display: grid; grid-template-columns: 184px minmax(0, 1fr); grid-template-rows: auto 1fr; min-height: 100vh; }
.rail { grid-row: 1 / 3; padding: 14px 10px; border-right: 1px solid var(--line); background: var(--paper); }
.rail .brand { display: block; padding: 4px 10px 12px; color: var(--ink); font-size: 16px; font-weight: 650; text-decoration: none; }
.rail ul { padding: 0; list-style: none; position: sticky; top: 14px; }
.rail li a { display: block; padding: 6px 10px; border-radius: 6px; color: var(--ink); text-decoration: none; }
.rail li a:hover { background: var(--tint); }
.rail li a[aria-current] { background: var(--tint); color: var(--accent); font-weight: 600; box-shadow: inset 3px 0 0 var(--accent); }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 18px; padding: 10px 24px; border-bottom: 1px solid var(--line); background: var(--paper); font-size: 13px; }
.top .search { flex: 1 1 180px; max-width: 340px; }
.top .search input { width: 100%; }
.top .as-of { margin-left: auto; color: var(--soft); }
.top .search + .who { margin-left: auto; }
.choices, .filters { display: flex; flex-wrap: wrap; align-items: end; gap: 6px 10px; }
.choices label, .filters label { display: flex; align-items: center; gap: 6px; color: var(--soft); font-size: 13px; }
.choices .span { display: none; flex-wrap: wrap; gap: 6px 10px; } .choices .span.shown, .choices:focus-within .span { display: flex; }
.filters { margin: 8px 0; }
main { min-width: 0; padding: 22px 24px 64px; max-width: 1280px; }

input, select, textarea, button { font: inherit; font-size: 14px; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-color: color-mix(in srgb, var(--soft) 60%, var(--line)); border-radius: 6px; padding: 5px 9px; min-height: 32px; max-width: 100%; }
textarea { width: 100%; min-height: 4.5em; }
button, .button { display: inline-block; border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; cursor: pointer; text-decoration: none; border-radius: 6px; }
.button { padding: 6px 12px; }
button.quiet { border-color: color-mix(in srgb, var(--soft) 60%, var(--line)); background: transparent; color: var(--ink); font-weight: 400; }
button.danger { border-color: var(--danger); background: transparent; color: var(--danger); }
.live button.quiet[data-spare] { display: none; }
.fields { display: grid; gap: 12px; max-width: 640px; margin-top: 12px; }
.fields label > span { display: block; margin-bottom: 3px; font-weight: 600; }
.fields label > small { display: block; color: var(--soft); font-size: 13px; }
input:is([type=checkbox], [type=radio]) { min-height: 0; margin: 0 4px 0 0; vertical-align: -1px; accent-color: var(--accent); }
.fields input:not([type=checkbox]):not([type=radio]), .fields select { width: 100%; }

fieldset { border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; margin: 0; min-width: 0; } .choice { display: block; padding: 3px 0; }
.notice { margin: 0 0 16px; padding: 10px 14px; border-left: 4px solid var(--accent); border-radius: 0 6px 6px 0; background: var(--tint); overflow-wrap: anywhere; }
.notice.warn { border-color: var(--warn); background: var(--warn-tint); color: var(--warn); }
.notice.danger { border-color: var(--danger); background: var(--danger-tint); color: var(--danger); }
.panel { margin-top: 16px; padding: 14px 18px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); min-width: 0; }
.panel > h2:first-child { margin-top: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 0 24px; align-items: start; } .pair > * { min-width: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 150px), 1fr)); gap: 12px; margin: 16px 0 0; }
.figures > div { padding: 10px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); min-width: 0; }
.figures dt { color: var(--soft); font-size: 13px; } .figures dd { font-size: 20px; font-weight: 620; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.figures dd small { display: block; color: var(--soft); font-size: 13px; font-weight: 400; }
.facts { display: grid; grid-template-columns: minmax(min-content, max-content) minmax(0, 1fr); gap: 3px 16px; margin-top: 8px; } .facts dt { color: var(--soft); } .facts dd { overflow-wrap: anywhere; }
.sums dd { text-align: right; font-variant-numeric: tabular-nums; max-width: 14em; }
.tag { display: inline-block; padding: 0 7px; border: 1px solid currentColor; border-radius: 99px; font-size: 13px; color: var(--soft); white-space: nowrap; }
.tag.warn { color: var(--warn); } .tag.danger { color: var(--danger); } .tag.good { color: var(--good); }
.todo { padding: 0; list-style: none; } .todo li { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 4px 16px; padding: 8px 0; border-bottom: 1px solid var(--line); } .todo li > * { min-width: 0; overflow-wrap: anywhere; }
.steps { padding-left: 22px; } .steps li { margin: 8px 0; } code { font: 13px/1.4 ui-monospace, "Liberation Mono", monospace; background: var(--tint); padding: 1px 5px; border-radius: 4px; overflow-wrap: anywhere; } .panel > p + button { margin-top: 12px; } :is(.steps, .lead) code { white-space: nowrap; color: var(--ink); }

.tabs ul { display: flex; flex-wrap: wrap; gap: 4px 2px; margin-top: 32px; padding: 0; list-style: none; border-bottom: 1px solid var(--line); } .tabs a { display: block; padding: 6px 12px; text-decoration: none; color: var(--ink); } .tabs a:hover { background: var(--tint); } .tabs [aria-current] { color: var(--accent); font-weight: 600; box-shadow: inset 0 -3px 0 var(--accent); }
.table { margin-top: 12px; }
.scroll { overflow-x: auto; }
table.data { width: 100%; border-collapse: collapse; background: var(--paper); border: 1px solid var(--line); border-radius: 8px; font-size: 14px; }
table.data caption { padding: 6px 0; text-align: left; font-size: 16px; font-weight: 620; }
table.data caption .tools { float: right; position: sticky; right: 0; font-size: 13px; font-weight: 400; } table.data caption .tools a { margin-left: 10px; }
table.data th, table.data td { padding: 5px 8px; height: 32px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: middle; }
table.data td, table.data tbody th { overflow-wrap: break-word; } .long { display: inline-block; min-width: 14ch; overflow-wrap: anywhere; } time, .short { white-space: nowrap; } .figures time { white-space: normal; }
table.data thead th { color: var(--soft); font-size: 13px; font-weight: 600; white-space: nowrap; } table.data thead a { color: inherit; text-decoration: none; } table.data thead a:hover { text-decoration: underline; }
table.data [aria-sort] a::after { content: " ↑"; color: var(--accent); } table.data [aria-sort=descending] a::after { content: " ↓"; }
table.data tbody th { font-weight: 500; } table.data tbody tr:hover { background: color-mix(in srgb, var(--tint) 60%, transparent); } table.data tbody tr:last-child > * { border-bottom: 0; }
table.data .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.data .number small { display: block; } .drawing { width: 96px; } .empty { padding: 18px 12px; color: var(--soft); } .pager { display: flex; gap: 14px; padding: 10px 2px; }
.acts { display: flex; flex-wrap: wrap; gap: 6px; } .acts input { width: 14em; } .acts form { display: inline-flex; flex-wrap: wrap; gap: 6px; }
details > summary { cursor: pointer; color: var(--accent); } details[open] > summary { margin-bottom: 6px; }

.chart { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 4px 8px; margin-top: 16px; padding: 14px 18px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); }
.chart figcaption, .chart .legend, .chart details { grid-column: 1 / -1; min-width: 0; } .chart figcaption { font-size: 16px; font-weight: 620; } .chart details { font-size: 13px; }
.scale { display: flex; flex-direction: column; justify-content: space-between; color: var(--soft); font-size: 13px; line-height: 1; text-align: right; font-variant-numeric: tabular-nums; }
.plot { display: block; width: 100%; height: 190px; border-bottom: 1px solid var(--soft); overflow: visible; } .plot .grid { stroke: var(--line); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.plot .zero { stroke: var(--soft); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.plot path { vector-effect: non-scaling-stroke; } .plot .hover { fill: transparent; } .plot .hover:hover { fill: var(--ink); fill-opacity: 0.08; }
.axis { grid-column: 2; display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); padding: 0; list-style: none; color: var(--soft); font-size: 13px; } .axis li { min-width: 0; white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; padding: 0; list-style: none; font-size: 13px; } .legend li { overflow-wrap: anywhere; min-width: 0; } .swatch { width: 10px; height: 10px; margin-right: 6px; }
.stroke { fill: none; stroke: var(--accent); stroke-width: 2px; stroke-linecap: round; } .spark { display: block; width: 80px; height: 20px; } .spark .stroke { stroke-width: 1.5px; }
${Array.from({ length: 12 }, (_, index) => `.k${index} { fill: var(--k${index}); } .stroke.k${index} { fill: none; stroke: var(--k${index}); }`).join('\n')}
.rest { fill: var(--rest); } .shade1 { opacity: 0.6; } .shade2 { opacity: 0.35; }
section > .figures + .notice, .figures + form > .notice { margin-top: 12px; } section + p { margin-top: 14px; }
.bars ol { grid-column: 1 / -1; display: grid; grid-template-columns: minmax(0, max-content) minmax(60px, 1fr) max-content; gap: 4px 12px; padding: 0; list-style: none; } .bars li { display: grid; grid-template-columns: subgrid; grid-column: 1 / -1; align-items: center; }
.bars figcaption .muted { font-size: 13px; font-weight: 400; } .bars .of { max-width: 26ch; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .bars .of:focus-within { overflow: visible; } .bars svg { width: 100%; height: 14px; } .bars .amount { text-align: right; font-variant-numeric: tabular-nums; }
.bars .gain { fill: var(--good); } .bars .loss { fill: var(--danger); } .bars .zero { stroke: var(--soft); stroke-width: 1px; vector-effect: non-scaling-stroke; }
.sign-in { max-width: 460px; margin: 8vh auto; padding: 28px 32px; } .sign-in input { width: 100%; } .sign-in button { margin-top: 12px; }

.quoting { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 0 24px; align-items: start; margin-top: 12px; } .quoted { min-width: 0; }
.quote-form { min-width: 0; } .lead + .quote-form { margin-top: 16px; } .quote-form .pair { row-gap: 16px; } .lead + .muted { margin-top: 6px; } .lead + .todo { margin-top: 12px; } .quote-form fieldset { min-inline-size: 0; margin: 12px 0 0; padding: 8px 16px 14px; } .quote-form fieldset:first-child { margin-top: 0; } .quote-form legend { padding: 0 6px; margin-left: -6px; font-size: 14px; font-weight: 650; }
.quote-form .line { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 6px 8px; padding: 6px 0; } .quote-form .line + .line { border-top: 1px solid var(--line); padding-top: 10px; margin-top: 4px; } .quote-form .line > .wide { grid-column: span 2; } .quote-form .line > small { grid-column: 1 / -1; overflow-wrap: anywhere; } .quote-form label > small { display: block; font-size: 13px; overflow-wrap: anywhere; }
.quote-form label > span { display: block; color: var(--soft); font-size: 13px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .quote-form .line :is(input, select) { width: 100%; } .quote-form .count { text-align: right; font-variant-numeric: tabular-nums; } ::placeholder { color: var(--soft); opacity: 0.85; }
.choice { display: inline-flex; align-items: baseline; gap: 6px; } .choice input { min-height: 0; flex: none; accent-color: var(--accent); } .choices-of { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 4px 0 6px; } .quote-form .foot { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; padding-top: 4px; font-size: 13px; } .quote-form .send { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 8px; margin-top: 12px; }
.quote-form:has([value=usage]:checked) :is(.of-like, .of-users), .quote-form:has([value=like]:checked) :is(.of-usage, .of-users), .quote-form:has([value=users]:checked) :is(.of-usage, .of-like) { display: none; }
.quoted .figures, .quoted .notice { margin-top: 0; } .quoted .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); } :is(.table, .figures, .chart) + p { margin-top: 10px; } .lead .button { margin-left: 8px; font-size: 14px; } .figures .chief { border-color: var(--accent); } .figures .chief dd { font-size: 28px; line-height: 1.2; } .quoted h2 { margin-top: 20px; }
.rests { padding-left: 18px; color: var(--soft); } .rests li { margin: 2px 0; } .rests + p { margin-top: 8px; } [aria-busy=true] { opacity: 0.6; transition: opacity 0.15s 0.2s; } .link input { width: 100%; } .link label > span { display: block; font-weight: 600; } .link p { margin-top: 8px; } pre { margin: 8px 0; font: 13px/1.4 ui-monospace, "Liberation Mono", monospace; }

.links { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px; margin-top: 14px; } .reasons { margin: 6px 0; padding-left: 18px; } .reasons li { margin: 3px 0; } .panel > p { max-width: 80ch; } .panel > p + p, .panel > .reasons + p { margin-top: 8px; } .content { max-height: 320px; overflow: auto; } .content code { background: none; padding: 0; }
fieldset.stack { border: 0; padding: 0; margin: 0; min-inline-size: 0; display: grid; gap: 6px; } .lead + .notice { margin-top: 16px; }

@media (max-width: 800px) {
  .frame { display: block; padding-bottom: 56px; }
  .rail { position: fixed; inset: auto 0 0 0; z-index: 2; padding: 0; border-right: 0; border-top: 1px solid var(--line); }
  .rail .brand { display: none; } .rail ul { display: flex; overflow-x: auto; position: static; } .rail li a { padding: 14px; border-radius: 0; white-space: nowrap; }
  .rail li a[aria-current] { box-shadow: inset 0 3px 0 var(--accent); }
  .top { padding: 10px 14px; } .top .search { flex-basis: 100%; max-width: none; } .top .as-of { margin-left: 0; } main { padding: 16px 14px 48px; } h1 { font-size: 20px; } .plot { height: 150px; } .axis .spare { visibility: hidden; }
  .sign-in { margin: 0; border: 0; border-radius: 0; min-height: 100vh; padding: 24px 18px; }
}
@media (min-width: 801px) and (max-width: 1400px) { table.data { font-size: 13px; } table.data th, table.data td { padding: 5px 6px; } }
@media (max-width: 1000px) { .quoting { grid-template-columns: minmax(0, 1fr); } .quoted { margin-top: 16px; } }
@media (max-width: 640px) {
  .bars .of { max-width: 13ch; } .axis li.wide { visibility: hidden; }
  .figures dd { font-size: 16px; } table.data:not(.plain) caption::after { content: ""; display: block; clear: both; }
  .facts:not(.sums) { grid-template-columns: minmax(0, 1fr); gap: 0; } .facts:not(.sums) dt { margin-top: 6px; } .facts time { white-space: normal; }
  .quote-form .line { grid-template-columns: repeat(2, minmax(0, 1fr)); } .quote-form legend { float: left; width: 100%; margin-left: 0; padding: 6px 0 4px; } .quote-form legend + * { clear: both; }
  table.data:not(.plain), table.data:not(.plain) :is(caption, tbody, tr, th, td) { display: block; } table.data:not(.plain) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.data:not(.plain) tr { padding: 8px 12px; border-bottom: 1px solid var(--line); } table.data:not(.plain) caption { padding: 10px 12px 4px; }
  table.data:not(.plain) :is(th, td) { display: grid; grid-template-columns: max-content minmax(0, 1fr); justify-items: end; align-items: baseline; gap: 0 16px; width: auto; height: auto; padding: 2px 0; border: 0; text-align: right; white-space: normal; } table.data:not(.plain) .text { text-align: left; }
  table.data:not(.plain) :is(th, td)::before { content: attr(data-label); grid-row: 1 / span 9; justify-self: start; color: var(--soft); font-size: 13px; font-weight: 400; } table.data:not(.plain) tbody th { font-weight: 620; } .acts { justify-content: flex-end; }
}
@page { size: A4; margin: 16mm; }
@media print {
  :root { color-scheme: light; --ink: #111820; --soft: #46505c; --line: #ccd2d9; --paper: #ffffff; --ground: #ffffff; --tint: #ffffff; --accent: #0b5c74; --warn: #8a4b00; --danger: #a3202f; --good: #1d6b47; }
  .rail, .top .search, .choices, .filters, .who, .pager, .acts, .skip, .tools, .quote-form, .link, details:not([open]) { display: none !important; } .frame { display: block; padding: 0; } .top { padding: 0; border: 0; } main { padding: 0; max-width: none; } .scroll { overflow: visible; } table.data { font-size: 10px; } table.data :is(th, td) { height: auto; padding: 2px 4px; } table.data thead th { font-size: 10px; white-space: normal; } tr, .panel, .chart { break-inside: avoid; } thead { display: table-header-group; }
}
`;
