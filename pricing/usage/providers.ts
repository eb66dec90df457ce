import { modelKey } from './names.ts';
import type { FigureName } from './shape.ts';

/**
 * How the makers of models count, said once. What a figure is part of is said by the shape; a provider may tell such a part
 * beside its whole instead, which then counts none of it. Which rule holds is said by the model's name, never by which sum
 * happens to fit: sums of other readings fit often enough.
 */

/** Parts that caches make: the only ones that some provider tells apart. */
const CACHE_PARTS: readonly FigureName[] = ['cachedPrompt', 'cacheWrite5m', 'cacheWrite1h'];

/**
 * What Total may be where parts are told apart: all of it, or all but those parts. Both are seen of one provider, because the
 * gateway makes a total of its own where the maker tells none.
 */
type TotalReading = 'with-cache' | 'without-cache';

export interface CountingRule {
  provider: string;
  /** Parts told beside their whole; all others are within it. */
  apart: readonly FigureName[];
  /** What Total may be; the buckets never depend on which of them fits. */
  totals: readonly TotalReading[];
}

/** The rule of each model. */
export interface Providers {
  /** Null: nobody named the provider of this model. */
  ruleOf(model: string): CountingRule | null;
}

const within = (provider: string): CountingRule => ({ provider, apart: [], totals: ['with-cache'] });
const apart = (provider: string, totals: readonly TotalReading[]): CountingRule => ({
  provider,
  apart: CACHE_PARTS,
  totals,
});

/**
 * OpenAI: `prompt_tokens_details.cached_tokens` "present in the prompt", total is prompt and completion (API reference, usage
 * object of chat completions). Anthropic: "total input tokens in a request is the summation of input_tokens,
 * cache_creation_input_tokens, and cache_read_input_tokens" (API reference of Messages, usage), and no total at all: what the
 * gateway calls total is seen with the cache (3 + 1,313 + 50 = 1,366) and said to be prompt and completion on the gateway's
 * page about counting tokens.
 */
const BUILT_IN_RULES: readonly CountingRule[] = [
  within('openai'),
  apart('anthropic', ['with-cache', 'without-cache']),
];

/** Names that only this maker gives. Other makers have no entry until their own documents say how they count. */
const BUILT_IN_PATTERNS: Readonly<Record<string, readonly string[]>> = {
  openai: [
    'gpt-*',
    'chatgpt-*',
    'o1*',
    'o3*',
    'o4*',
    'codex-*',
    'computer-use-*',
    'text-embedding-*',
    'whisper*',
    'tts*',
    'dall-e*',
    'sora*',
  ],
  anthropic: ['claude*'],
};

/** A name, or the parts of one around a single `*`. */
interface Pattern {
  text: string;
  begins: string;
  /** Null: the name is given whole. */
  ends: string | null;
  rule: CountingRule;
}

/** Models named at once; beyond this their rules are looked up again. */
const KNOWN_LIMIT = 10_000;

/** Faults of the two variables, each as a sentence about the variable that it stands in. */
export class ProviderFaults extends Error {
  override readonly name = 'ProviderFaults';
  readonly faults: readonly { variable: 'MODEL_PROVIDERS' | 'COUNTING_RULES'; message: string }[];
  constructor(faults: ProviderFaults['faults']) {
    super(faults.map(({ variable, message }) => `${variable} ${message}`).join('\n'));
    this.faults = faults;
  }
}

/**
 * The rules of a configuration. `modelProviders`: `my-deployment=openai,Llama-*=meta`, where `*` stands for any text, once.
 * `countingRules`: `meta=within,anthropic=apart/with-cache`. A name given in the configuration goes before the built-in ones;
 * among those of one of them the longest goes first.
 * @throws ProviderFaults
 */
export function readProviders(given: {
  modelProviders?: string | undefined;
  countingRules?: string | undefined;
}): Providers {
  const faults: ProviderFaults['faults'][number][] = [];
  const rules = new Map(BUILT_IN_RULES.map((rule) => [rule.provider, rule]));
  for (const [provider, text] of readPairs(given.countingRules, 'COUNTING_RULES', faults)) {
    const rule = readRule(provider.toLowerCase(), text);
    if (rule === null) {
      faults.push({
        variable: 'COUNTING_RULES',
        message: `says "${provider}=${text}"; a rule is within, apart, apart/with-cache or apart/without-cache`,
      });
    } else rules.set(rule.provider, rule);
  }
  const configured: Pattern[] = [];
  for (const [text, provider] of readPairs(given.modelProviders, 'MODEL_PROVIDERS', faults)) {
    const rule = rules.get(provider.toLowerCase());
    const pattern = readPattern(text);
    if (rule === undefined) {
      faults.push({
        variable: 'MODEL_PROVIDERS',
        message: `names the provider "${provider}", which has no rule; known are ${[...rules.keys()].sort().join(', ')}, and COUNTING_RULES adds others`,
      });
    } else if (pattern === null) {
      faults.push({ variable: 'MODEL_PROVIDERS', message: `has more than one * in "${text}"` });
    } else if (text !== '*' && (pattern.text === '*' || pattern.text === '')) {
      faults.push({
        variable: 'MODEL_PROVIDERS',
        message: `says "${text}", of which nothing is left: a prefix such as azure/ is no part of a model's name; write * if every model is meant`,
      });
    } else configured.push({ ...pattern, rule });
  }
  if (faults.length > 0) throw new ProviderFaults(faults);
  const builtIn = Object.entries(BUILT_IN_PATTERNS).flatMap(([provider, patterns]) =>
    patterns.flatMap((text) => {
      const [pattern, rule] = [readPattern(text), rules.get(provider)];
      return pattern === null || rule === undefined ? [] : [{ ...pattern, rule }];
    }),
  );
  return findRules([...longestFirst(configured), ...longestFirst(builtIn)]);
}

/** Names and values of a list such as `a=b,c=d`; a name that is given two values is a fault. */
function readPairs(
  text: string | undefined,
  variable: 'MODEL_PROVIDERS' | 'COUNTING_RULES',
  faults: { variable: typeof variable; message: string }[],
): [string, string][] {
  const pairs = new Map<string, [string, string]>();
  for (const part of (text ?? '').split(',').map((one) => one.trim())) {
    if (part === '') continue;
    const at = part.lastIndexOf('=');
    const [name, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    const known = pairs.get(modelKey(name));
    if (at < 0 || name === '' || value === '') {
      faults.push({ variable, message: `says "${part}", which is not name=value` });
    } else if (known !== undefined && known[1] !== value) {
      faults.push({ variable, message: `says "${name}" is ${known[1]} and ${value}` });
    } else pairs.set(modelKey(name), [name, value]);
  }
  return [...pairs.values()];
}

function readRule(provider: string, text: string): CountingRule | null {
  if (text === 'within') return within(provider);
  if (text === 'apart') return apart(provider, ['with-cache', 'without-cache']);
  const total = /^apart\/(with-cache|without-cache)$/.exec(text)?.[1];
  return total === undefined ? null : apart(provider, [total as TotalReading]);
}

function readPattern(given: string): Omit<Pattern, 'rule'> | null {
  const text = modelKey(given);
  const [begins = '', ends, ...more] = text.split('*');
  return more.length > 0 ? null : { text, begins, ends: ends ?? null };
}

function longestFirst(patterns: readonly Pattern[]): Pattern[] {
  const rank = ({ text, ends }: Pattern) => (ends === null ? Number.POSITIVE_INFINITY : text.length);
  return [...patterns].sort((one, other) => (rank(one) === rank(other) ? 0 : rank(other) - rank(one)));
}

function findRules(patterns: readonly Pattern[]): Providers {
  const known = new Map<string, CountingRule | null>();
  return {
    ruleOf(model) {
      const found = known.get(model);
      if (found !== undefined) return found;
      const key = modelKey(model);
      const rule = patterns.find((pattern) => matches(pattern, key))?.rule ?? null;
      if (known.size >= KNOWN_LIMIT) known.clear();
      known.set(model, rule);
      return rule;
    },
  };
}

function matches({ begins, ends }: Pattern, key: string): boolean {
  if (ends === null) return key === begins;
  return key.length >= begins.length + ends.length && key.startsWith(begins) && key.endsWith(ends);
}

/** What holds where nothing is configured. */
export const BUILT_IN_PROVIDERS = readProviders({});
