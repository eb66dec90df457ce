/** What the form calls the fields of a request. */
const WORDS: Record<string, string> = {
  usage: 'Usage',
  model: 'model',
  feature: 'feature',
  promptTokenCount: 'input tokens',
  cachedPromptTokenCount: 'cached tokens',
  completionTokenCount: 'output tokens',
  requestCount: 'requests',
  likeCustomer: 'Like customer',
  'likeCustomer.customerId': 'Like customer',
  'likeCustomer.period': 'Month',
  'likeCustomer.scale': 'Times',
  activeUsers: 'Active users',
  count: 'users',
  modelSwaps: 'Swap',
  from: 'from',
  to: 'to',
  'adjustments.cachedShare': 'Cached share (a percentage)',
  'adjustments.batchShare': 'Batch share (a percentage)',
  'adjustments.deploymentType': 'Tier',
  'adjustments.region': 'Region',
  'adjustments.modelSwaps': 'Swaps',
  mode: 'Beside what is used',
  customerId: 'Customer',
  planId: 'Plan',
  at: 'Prices as of',
  currency: 'Currency',
  targetMarginPercent: 'Margin',
  validDays: 'Valid for',
  contractMonths: 'Term',
  title: 'Title',
  preparedFor: 'Prepared for',
};

/** `usage.1.promptTokenCount` is `Usage, line 2, prompt tokens`. */
export function fieldInWords(path: readonly PropertyKey[]): string {
  const whole = WORDS[path.map(String).join('.')];
  if (whole !== undefined) return whole;
  return path
    .filter((part) => part !== 'adjustments')
    .map((part) => (typeof part === 'number' ? `line ${part + 1}` : (WORDS[String(part)] ?? String(part))))
    .join(', ');
}

/** A message of the API's about its fields, in the form's words. */
export function messageInWords(message: string): string {
  return message.replaceAll(/\b[a-z]+[A-Z]\w*/g, (name) => WORDS[name]?.toLowerCase() ?? name);
}
