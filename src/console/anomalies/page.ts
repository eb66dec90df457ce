import { html } from 'hono/html';
import { RULES } from '../../../pricing/anomalies/rules.ts';
import {
  countFindings,
  type Finding,
  type FindingFigures,
  type FindingStanding,
  listFindings,
  readFindingFigures,
} from '../../anomalies/findings.ts';
import { csvCells, csvColumns } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { groupDigits } from '../../pages/words.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';
import { dollars } from '../rollups/draw.ts';
import { ANOMALIES_PATH } from './address.ts';
import { type Beside, csvOfBeside, drawBeside, gatherBeside } from './beside.ts';
import { exportedFindings, findingsTable } from './table.ts';

/** More than a person reads; the CSV and the API have all. */
const MOST_LISTED = 200;

interface Group {
  name: string;
  caption: string;
  empty: string;
  standings: readonly FindingStanding[];
  /** What is small and within two sigmas is counted, and listed in the CSV alone. */
  leavesOutSmall?: true;
}

const NEEDS: Group = {
  name: 'needs',
  caption: 'Needs you',
  empty: 'No usage stands out of which nobody has said anything.',
  standings: ['needs_you'],
};
const GROUPS: readonly Group[] = [
  NEEDS,
  {
    name: 'kept',
    caption: 'Acknowledged or snoozed',
    empty: 'Nothing was acknowledged or snoozed.',
    standings: ['acknowledged', 'snoozed'],
  },
  {
    name: 'highlighted',
    caption: 'Explained, or above two sigmas alone: nobody needs to look',
    empty: 'Nothing stands out beside.',
    standings: ['highlighted'],
    leavesOutSmall: true,
  },
  {
    name: 'done',
    caption: 'Done: dismissed, or undone by later data',
    empty: 'Nothing was dismissed or withdrawn.',
    standings: ['done'],
  },
];

interface Material {
  found: { group: Group; findings: Finding[]; smallCount: bigint }[];
  figures: FindingFigures;
  beside: Beside;
}

export const anomaliesPage = definePage<Material>({
  path: ANOMALIES_PATH,
  title: 'Anomalies',
  scopes: ['sales', 'finance'],
  rail: { title: 'Anomalies', key: 'n' },
  gather: async (snapshot, { now }) => {
    const found: Material['found'] = [];
    for (const group of GROUPS) {
      const page = { beforeId: null, limit: MOST_LISTED + 1, now, byStake: group === NEEDS };
      const { standings, leavesOutSmall } = group;
      const large = leavesOutSmall === true ? { standings, isWorthALook: true } : { standings };
      found.push({
        group,
        findings: await listFindings(snapshot, large, page),
        smallCount:
          leavesOutSmall === true
            ? await countFindings(snapshot, { standings, isWorthALook: false }, now)
            : 0n,
      });
    }
    return {
      found,
      figures: await readFindingFigures(snapshot, now),
      beside: await gatherBeside(snapshot, now),
    };
  },
  show: ({ found, figures, beside }, view) => ({
    body: html`<p class="lead">${answer(found, figures)}</p>
<p class="muted">${precisionInWords(figures)}</p>
${found.map(
  ({
    group,
    findings,
    smallCount,
  }) => html`${dataTable(findingsTable(group, view.now), findings.slice(0, MOST_LISTED), view.address)}
${findings.length > MOST_LISTED ? html`<p class="muted">The newest ${MOST_LISTED}; the CSV has all.</p>` : ''}${smallCount === 0n ? '' : html`<p class="muted">${smallInWords(smallCount)}</p>`}`,
)}
<p class="muted">Score: how many robust deviations an hour was above the usual of its weekday and hour, at most. Sigmas: how many standard deviations a day was above the mean of its 30 before. Amounts are cost in US dollars beyond the usual; what has no price is in none of them.</p>
${drawBeside(beside, view)}`,
    csv: csvOfBeside(beside, view),
  }),
  wholeCsv: (view) => Object.fromEntries(GROUPS.map((group) => [group.name, csvOf(group, view)])),
});

/** Every finding of a group, the newest first. */
function csvOf(group: Group, { now }: ConsoleView): WholeCsv<Finding> {
  const definition = exportedFindings(findingsTable(group, now));
  return {
    columns: csvColumns(definition),
    read: async (snapshot, after, limit) =>
      await listFindings(
        snapshot,
        { standings: group.standings },
        { beforeId: after?.findingId ?? null, limit, now },
      ),
    toCells: (finding) => csvCells(definition, finding),
  };
}

function smallInWords(count: bigint): string {
  const least = dollars(RULES.materialPicoUsd);
  return `${groupDigits(String(count))} more ${count === 1n ? 'is' : 'are'} within two sigmas and less than ${least} above the usual: the CSV has ${count === 1n ? 'it' : 'them'}.`;
}

/** What stands out, in a sentence. */
function answer(found: Material['found'], { needsYouCount }: FindingFigures): string {
  const needing = found.find(({ group }) => group === NEEDS)?.findings ?? [];
  if (needsYouCount === 0n) return 'No usage stands out of which nobody has said anything.';
  const count = `${groupDigits(String(needsYouCount))} ${needsYouCount === 1n ? 'anomaly needs' : 'anomalies need'} you`;
  if (needing.length > MOST_LISTED) return `${count}.`;
  const sum = (pick: (finding: Finding) => bigint) =>
    needing.reduce((total, finding) => total + pick(finding), 0n);
  const ahead = sum(({ state, dayAheadPicoUsd }) => (state === 'open' ? dayAheadPicoUsd : 0n));
  return `${count}: ${dollars(sum(({ excessPicoUsd }) => excessPicoUsd))} more than usual so far${
    ahead === 0n ? '' : `, and ${dollars(ahead)} in another day if nobody acts`
  }.`;
}

function precisionInWords({
  precisionPermille,
  acknowledgedCount,
  dismissedCount,
  withdrawnCount,
}: FindingFigures): string {
  const withdrawn =
    withdrawnCount === 0n ? '' : ` Later data undid ${groupDigits(String(withdrawnCount))} more.`;
  if (precisionPermille === null) return `Nobody has said yet which were real.${withdrawn}`;
  const said = groupDigits(String(acknowledgedCount + dismissedCount));
  return `Of ${said} that people acknowledged or dismissed, ${(Number(precisionPermille) / 10).toFixed(1)} % were real.${withdrawn}`;
}
