import type { FactsOf } from '../../pricing/alerts/facts.ts';
import { EXPERIMENTATION } from '../../pricing/budgets/templates.ts';
import { listAlerts } from '../../src/alerts/list.ts';
import { listFindings } from '../../src/anomalies/findings.ts';
import { listBudgets } from '../../src/budgets/budgets.ts';
import { listStepEvents } from '../../src/budgets/step-events.ts';
import { addMs, DAY_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { SandboxTotals } from '../control.ts';
import type { PassedTotals } from '../gateway/passed-calls.ts';
import { createScenario, type ScenarioOptions } from '../scenario.ts';
import { chooseIntegration, chooseLoopDay } from '../traffic/stories.ts';

/** Of so many days and users on, a loop stands out of its customer's usual. */
const LEAST_DAYS = 30;
const LEAST_USERS = 40;
const MOST_LISTED = 1_000;

/**
 * Whether what is played was also found: a sentence for each part of the story that came out otherwise.
 * @param sandbox counted by the stand-ins themselves, as is what `passed`
 */
export async function checkStory(
  database: LedgerDatabase,
  given: { scenario: ScenarioOptions; sandbox: SandboxTotals; passed: PassedTotals; now: Date },
): Promise<string[]> {
  const { scenario } = given;
  return [
    ...(scenario.experiments === true ? await checkExperiments(database, given) : []),
    ...(scenario.dayCount >= LEAST_DAYS && scenario.userCount >= LEAST_USERS
      ? await checkLoop(database, given)
      : []),
  ];
}

/** What the gateway stopped is at no source, and the budget says why it was. */
async function checkExperiments(
  database: LedgerDatabase,
  { sandbox, passed }: { sandbox: SandboxTotals; passed: PassedTotals },
): Promise<string[]> {
  const { customerId, name } = EXPERIMENTATION;
  const counted = sandbox.customers.find(({ customer }) => customer === customerId)?.sourceTokens;
  const budget = (await listBudgets(database)).find((one) => one.name === name);
  const events =
    budget === undefined ? [] : await listStepEvents(database, { budgetId: budget.budgetId, limit: 100 });
  return [
    ...(counted === passed.tokenCount
      ? []
      : [`The source has ${counted} tokens of ${customerId}, and ${passed.tokenCount} passed the gateway.`]),
    ...(passed.stoppedCallCount > 0 ? [] : ['No experiment was stopped at the gateway.']),
    ...(events.some(({ step, withdrawnAt }) => step.action === 'stop' && withdrawnAt === null)
      ? []
      : ['No step that stops experiments was reached.']),
  ];
}

/** The integration that loops is found as what it is, from its first hour on, and somebody was told. */
async function checkLoop(
  database: LedgerDatabase,
  { scenario: options, now }: { scenario: ScenarioOptions; now: Date },
): Promise<string[]> {
  const scenario = createScenario(options);
  const subject = chooseIntegration(scenario) ?? '';
  const customerId = scenario.customers.find(({ subjects }) => subjects.includes(subject))?.tenantKey;
  const firstHour = addMs(new Date(options.startMs), chooseLoopDay(scenario) * DAY_MS);
  const findings = await listFindings(database, { customerId }, { beforeId: null, limit: MOST_LISTED, now });
  const found = findings.find(
    (finding) => finding.firstHour.getTime() === firstHour.getTime() && finding.raisedAt !== null,
  );
  const hour = `${firstHour.toISOString().slice(0, 13)}:00`;
  if (found === undefined)
    return [`The loop of ${customerId}, which began at ${hour}, was not found in its hour.`];
  const alerts = await listAlerts(
    database,
    { kind: 'anomaly', customerId, state: 'sent' },
    { beforeId: null, limit: MOST_LISTED },
  );
  const told = alerts
    .map(({ facts }) => facts as FactsOf<'anomaly'>)
    .find(({ findingId }) => findingId === String(found.findingId));
  return [
    ...(found.shape === 'loop'
      ? []
      : [`What ${customerId} did from ${hour} on is taken for ${found.shape}, and not for a loop.`]),
    ...(told?.moved.some(({ value }) => value === subject) === true
      ? []
      : [`Nobody was told that the loop of ${customerId} is that of ${subject}.`]),
  ];
}
