import { FIGURES } from '../../../pricing/usage/shape.ts';
import { NAMESPACE_DIMENSION, nameCondition } from '../../../src/azure/kql.ts';
import { quoteKql } from '../../../src/azure/kql-literal.ts';

/**
 * The workbook's queries. `{Name}` is the workbook's own parameter, put in place as text by the portal: names of dimensions as the
 * gateway's policy writes them, without quotes in them.
 */

const dimension = (parameter: string) => `tostring(Properties["{${parameter}}"])`;
const named = (names: readonly string[]) =>
  `Name in (${names.map((name) => quoteKql('metric', name)).join(', ')})`;

const PROMPT = named(FIGURES.prompt.metricNames);
const CACHED = named(FIGURES.cachedPrompt.metricNames);
const COMPLETION = named(FIGURES.completion.metricNames);
const KNOWN = named(Object.values(FIGURES).flatMap(({ metricNames }) => metricNames));
/** Each request makes one measurement of its total. */
const REQUESTS = named(FIGURES[FIGURES.requests.measurementsOf].metricNames);

/** Rows of token metrics with their dimensions by plain names; an empty namespace takes all. */
const ROWS = [
  'AppMetrics',
  nameCondition({ name: 'Name' }),
  `where isempty("{Namespace}") or tostring(Properties["${NAMESPACE_DIMENSION}"]) == "{Namespace}"`,
  `extend tenant = ${dimension('TenantDimension')}, feature = ${dimension('FeatureDimension')}, model = ${dimension('ModelDimension')}, user = ${dimension('UserDimension')}`,
].join('\n| ');

const TOKENS = `sumif(Sum, ${PROMPT} or ${COMPLETION})`;

export type Part = 'tenant' | 'feature' | 'model';

/** Tokens, requests and users; prompt and completion are added up, cached tokens are those of the prompt or beside it. */
const SUMS = `tokens = ${TOKENS}, prompt = sumif(Sum, ${PROMPT}), cached = sumif(Sum, ${CACHED}), completion = sumif(Sum, ${COMPLETION}), requests = sumif(ItemCount, ${REQUESTS}), users = dcountif(user, isnotempty(user))`;

const called = (part: Part) => `iff(isempty(${part}), "(none told)", ${part})`;

export const SUMMARY = `${ROWS}
| summarize ${SUMS}, tenants = dcountif(tenant, isnotempty(tenant)), minutesSinceLastRow = datetime_diff("minute", now(), max(TimeGenerated))`;

export const chartBy = (part: Part) => `${ROWS}
| summarize tokens = ${TOKENS} by bin(TimeGenerated, {TimeRange:grain}), ${part} = ${called(part)}`;

export const tableBy = (part: Part) => `let sums = ${ROWS}
| summarize ${SUMS} by ${part} = ${called(part)};
let whole = toscalar(sums | summarize sum(tokens));
sums
| extend share = iff(whole > 0, tokens / whole, real(null)), tokensPerRequest = iff(requests > 0, tokens / requests, real(null))
| project ${part}, tokens, share, prompt, cached, completion, requests, tokensPerRequest, users
| order by tokens desc`;

/** The last 24 hours against the mean of the seven days before them. */
export const dayAgainstWeek = (part: Part) => `${ROWS}
| where TimeGenerated > ago(8d)
| summarize lastDay = sumif(Sum, (${PROMPT} or ${COMPLETION}) and TimeGenerated > ago(1d)), weekMean = sumif(Sum, (${PROMPT} or ${COMPLETION}) and TimeGenerated <= ago(1d)) / 7 by ${part} = ${called(part)}
| extend times = iff(weekMean > 0, lastDay / weekMean, real(null)), difference = lastDay - weekMean
| project ${part}, lastDay, weekMean, difference, times
| order by abs(difference) desc`;

export const METRICS = `AppMetrics
| ${nameCondition({ name: 'Name' })}
| summarize rows = count(), tokens = sum(Sum), lastRow = max(TimeGenerated), inNamespace = countif(isempty("{Namespace}") or tostring(Properties["${NAMESPACE_DIMENSION}"]) == "{Namespace}") by Name
| extend reading = case(inNamespace == 0, "hidden by the namespace", ${KNOWN}, "counted", "held until it is known")
| project metric = Name, reading, rows, inNamespace, tokens, lastRow
| order by metric asc`;

export const UNTOLD = `${ROWS}
| summarize rows = count(), tokens = ${TOKENS}, withoutTenant = sumif(Sum, isempty(tenant) and (${PROMPT} or ${COMPLETION})), withoutUser = sumif(Sum, isempty(user) and (${PROMPT} or ${COMPLETION})), withoutModel = sumif(Sum, isempty(model) and (${PROMPT} or ${COMPLETION})), withoutFeature = sumif(Sum, isempty(feature) and (${PROMPT} or ${COMPLETION})) by hour = bin(TimeGenerated, 1h)
| where withoutTenant > 0 or withoutUser > 0 or withoutModel > 0 or withoutFeature > 0
| order by hour desc`;

/** Hours between two that have rows; what is missing at the end shows as the age of the last row. */
export const GAPS = `${ROWS}
| summarize rows = count() by hour = bin(TimeGenerated, 1h)
| order by hour asc
| extend before = prev(hour)
| extend emptyHours = toint((hour - before) / 1h) - 1
| where emptyHours > 0
| project lastHourBefore = before, firstHourAfter = hour, emptyHours
| order by firstHourAfter desc`;

export const DELAY = `${ROWS}
| extend delaySeconds = toreal((ingestion_time() - TimeGenerated) / 1s)
| summarize percentiles(delaySeconds, 50, 95, 99), slowest = max(delaySeconds), laterThanTwoHours = countif(delaySeconds > 7200) by bin(TimeGenerated, {TimeRange:grain})
| order by TimeGenerated asc`;

/** What a store or an SDK may drop beyond its limits, and how near it has come. */
export const CARDINALITY = `let minutes = ${ROWS}
| summarize users = dcount(user), tenants = dcount(tenant), series = dcount(strcat(user, "|", tenant, "|", feature, "|", model)) by Name, minute = bin(TimeGenerated, 1m);
let active = toscalar(${ROWS.replaceAll('\n', '\n  ')}
  | summarize series = dcount(strcat(Name, "|", user, "|", tenant, "|", feature, "|", model)) by span = bin(TimeGenerated, 12h)
  | summarize max(series));
let longest = toscalar(${ROWS.replaceAll('\n', '\n  ')}
  | summarize max(max_of(strlen(user), strlen(tenant), strlen(feature), strlen(model))));
minutes
| summarize users = max(users), tenants = max(tenants), series = max(series)
| project checks = pack_array(
  pack("measure", "users in the busiest minute", "seen", users, "limit", 100, "beyond", "the SDK may put further values together"),
  pack("measure", "tenants in the busiest minute", "seen", tenants, "limit", 100, "beyond", "the SDK may put further values together"),
  pack("measure", "series of one metric in the busiest minute", "seen", series, "limit", 1000, "beyond", "the SDK may drop further series"),
  pack("measure", "series active in twelve hours", "seen", active, "limit", 50000, "beyond", "the metrics store throttles; the log table keeps all"),
  pack("measure", "characters of the longest value", "seen", longest, "limit", 256, "beyond", "values are cut"))
| mv-expand check = checks
| project measure = tostring(check.measure), seen = tolong(check.seen), limit = tolong(check["limit"]), share = todouble(check.seen) / todouble(check["limit"]), beyond = tostring(check.beyond)`;

/** Requests and tokens of the request log beside the metrics', by hour; tables that are not there count as empty. */
export const AGAINST_LOG = `union isfuzzy=true
  (${ROWS.replaceAll('\n', '\n  ')}
  | summarize metricTokens = ${TOKENS}, metricRequests = sumif(ItemCount, ${REQUESTS}) by hour = bin(TimeGenerated, 1h)),
  (ApiManagementGatewayLlmLog
  | summarize prompt = max(PromptTokens), completion = max(CompletionTokens), isStream = max(toint(IsStreamCompletion)), TimeGenerated = min(TimeGenerated) by CorrelationId
  | summarize logTokens = sum(coalesce(prompt, 0) + coalesce(completion, 0)), logRequests = count(), withoutTokens = countif(coalesce(prompt, 0) + coalesce(completion, 0) == 0), streamsWithoutTokens = countif(isStream == 1 and coalesce(prompt, 0) + coalesce(completion, 0) == 0) by hour = bin(TimeGenerated, 1h))
| summarize metricRequests = sum(metricRequests), logRequests = sum(logRequests), metricTokens = sum(metricTokens), logTokens = sum(logTokens), withoutTokens = sum(withoutTokens), streamsWithoutTokens = sum(streamsWithoutTokens) by hour
| extend requestDifference = metricRequests - logRequests, tokenDifference = metricTokens - logTokens
| order by hour desc`;

/** Calls that the gateway refused or that failed: no metric tells of them. */
export const REFUSED = `union isfuzzy=true
  (ApiManagementGatewayLogs
  | summarize calls = count(), refusedForRate = countif(ResponseCode == 429), refusedForQuota = countif(ResponseCode == 403), failed = countif(ResponseCode >= 500) by ApiId, hour = bin(TimeGenerated, 1h)),
  (print calls = 0 | where false)
| where refusedForRate > 0 or refusedForQuota > 0 or failed > 0
| project hour, ApiId, calls, refusedForRate, refusedForQuota, failed
| order by hour desc`;
