import { nameKey } from '../usage/names.ts';
import { type DeploymentRule, type ServiceTier, startOf } from './rows.ts';

/** What is said of one deployment name or pattern over time, the oldest first. */
interface RuleTimeline {
  deployment: string;
  rules: readonly DeploymentRule[];
}

export interface DeploymentIndex {
  readonly byName: ReadonlyMap<string, RuleTimeline>;
  /** The most specific pattern first: the one with the most characters that must match. */
  readonly patterns: readonly RuleTimeline[];
  /** Whether any rule says a service tier. */
  readonly saysServiceTiers: boolean;
}

/** Arranges deployment rules for look-up. */
export function indexDeployments(rules: readonly DeploymentRule[]): DeploymentIndex {
  const byDeployment = new Map<string, DeploymentRule[]>();
  for (const rule of rules) {
    const timeline = byDeployment.get(rule.deployment) ?? [];
    timeline.push(rule);
    byDeployment.set(rule.deployment, timeline);
  }
  const timelines = [...byDeployment].map(([deployment, entries]) => ({
    deployment,
    rules: entries.sort((left, right) => (startOf(left) < startOf(right) ? -1 : 1)),
  }));
  return {
    byName: new Map(
      timelines.filter(({ deployment }) => !isPattern(deployment)).map((entry) => [entry.deployment, entry]),
    ),
    patterns: timelines
      .filter(({ deployment }) => isPattern(deployment))
      .sort(
        (left, right) =>
          literalLength(right.deployment) - literalLength(left.deployment) ||
          (left.deployment < right.deployment ? -1 : 1),
      ),
    saysServiceTiers: rules.some(({ serviceTier }) => serviceTier !== null),
  };
}

/**
 * The rule that holds for a deployment: the exact name before any pattern, of patterns the most specific.
 * @param at instant of use; undefined: the newest rule
 */
export function findDeploymentRule(
  index: DeploymentIndex,
  deployment: string,
  at: Date | undefined,
): DeploymentRule | null {
  const name = nameKey(deployment);
  if (name === '') return null;
  const exact = index.byName.get(name);
  const said = exact === undefined ? null : ruleAt(exact, at);
  if (said !== null) return said;
  for (const pattern of index.patterns) {
    const rule = matchesPattern(pattern.deployment, name) ? ruleAt(pattern, at) : null;
    if (rule !== null) return rule;
  }
  return null;
}

/**
 * The service tier of a deployment's requests: of the rules that fit and say one, the most specific. So a rule for `*` says
 * it of all deployments, whatever other rules say of their models, and of usage that names none.
 */
export function findServiceTier(
  index: DeploymentIndex,
  deployment: string,
  at: Date | undefined,
): ServiceTier | null {
  if (!index.saysServiceTiers) return null;
  const name = nameKey(deployment);
  const exact = index.byName.get(name);
  const said = exact === undefined ? null : (ruleAt(exact, at)?.serviceTier ?? null);
  if (said !== null) return said;
  for (const pattern of index.patterns) {
    if (!matchesPattern(pattern.deployment, name)) continue;
    const serviceTier = ruleAt(pattern, at)?.serviceTier ?? null;
    if (serviceTier !== null) return serviceTier;
  }
  return null;
}

export function isPattern(deployment: string): boolean {
  return /[*?]/.test(deployment);
}

/** Whether a name fits a pattern of `*` and `?`. Two pointers, so that no pattern takes exponential time. */
export function matchesPattern(pattern: string, name: string): boolean {
  let patternIndex = 0;
  let nameIndex = 0;
  let starIndex = -1;
  let starNameIndex = 0;
  while (nameIndex < name.length) {
    const symbol = pattern[patternIndex];
    if (symbol === '*') {
      starIndex = patternIndex;
      starNameIndex = nameIndex;
      patternIndex += 1;
    } else if (symbol === '?' || symbol === name[nameIndex]) {
      patternIndex += 1;
      nameIndex += 1;
    } else if (starIndex >= 0) {
      // Let the last star take one character more.
      patternIndex = starIndex + 1;
      starNameIndex += 1;
      nameIndex = starNameIndex;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(patternIndex));
}

function literalLength(pattern: string): number {
  return pattern.replace(/\*/g, '').length;
}

function ruleAt({ rules }: RuleTimeline, at: Date | undefined): DeploymentRule | null {
  const rule = rules.findLast((entry) => at === undefined || startOf(entry) <= at.getTime());
  return rule === undefined || rule.retired ? null : rule;
}
