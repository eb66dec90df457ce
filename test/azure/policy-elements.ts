import type { XmlElement } from './xml.ts';

/** What a policy takes, as its page of the vendor's reference says (learn.microsoft.com, API Management policy reference, 2026). */
interface Known {
  required?: readonly string[];
  optional?: readonly string[];
  /** Attributes that take no expression. */
  constant?: readonly string[];
  children?: readonly string[];
  /** It may hold policies. */
  holdsPolicies?: boolean;
}

const POLICIES: Record<string, Known> = {
  fragment: { holdsPolicies: true },
  'set-variable': { required: ['name', 'value'], constant: ['name'] },
  'cache-lookup-value': {
    required: ['key', 'variable-name'],
    optional: ['default-value', 'caching-type'],
    constant: ['variable-name', 'caching-type'],
  },
  'cache-store-value': {
    required: ['key', 'value', 'duration'],
    optional: ['caching-type'],
    constant: ['caching-type'],
  },
  choose: { children: ['when', 'otherwise'] },
  when: { required: ['condition'], holdsPolicies: true },
  otherwise: { holdsPolicies: true },
  'send-request': {
    required: ['response-variable-name'],
    optional: ['mode', 'timeout', 'ignore-error'],
    constant: ['response-variable-name', 'mode', 'timeout', 'ignore-error'],
    children: ['set-url', 'set-method', 'set-header', 'set-body'],
  },
  'return-response': {
    optional: ['response-variable-name'],
    children: ['set-status', 'set-header', 'set-body'],
  },
  'set-status': { required: ['code', 'reason'] },
  'set-header': { required: ['name', 'exists-action'], children: ['value'] },
  'set-body': {},
  'set-url': {},
  'set-method': {},
  value: {},
  'rewrite-uri': { required: ['template'], optional: ['copy-unmatched-params'] },
  'llm-token-limit': {
    required: ['counter-key', 'estimate-prompt-tokens'],
    optional: ['tokens-per-minute', 'token-quota', 'token-quota-period'],
    constant: ['estimate-prompt-tokens', 'token-quota-period'],
  },
};
const NOT_BY_THEMSELVES = new Set(['when', 'otherwise', 'set-url', 'set-method', 'value', 'fragment']);

/** What of a fragment no gateway would take; empty: nothing. */
export function findPolicyFaults(root: XmlElement): string[] {
  const faults: string[] = [];
  const look = (element: XmlElement, parents: readonly string[]) => {
    const known = POLICIES[element.name];
    if (known === undefined) return void faults.push(`${element.name} is no policy that is known here`);
    const { required = [], optional = [], constant = [], children, holdsPolicies = false } = known;
    const given = Object.keys(element.attributes);
    for (const name of required) if (!given.includes(name)) faults.push(`${element.name} lacks ${name}`);
    for (const name of given) {
      if (![...required, ...optional].includes(name)) faults.push(`${element.name} takes no ${name}`);
      if (constant.includes(name) && element.attributes[name]?.includes('@'))
        faults.push(`${element.name} takes no expression as ${name}`);
    }
    for (const expression of [...Object.values(element.attributes), element.text.trim()]) {
      if (/^@[({]/.test(expression) && !isBalanced(expression)) faults.push(`${element.name}: ${expression}`);
    }
    if (element.name === 'when' && parents.at(-1) !== 'choose') faults.push('when outside choose');
    for (const child of element.children) {
      const isTaken = children?.includes(child.name) ?? (holdsPolicies && !NOT_BY_THEMSELVES.has(child.name));
      if (!isTaken) faults.push(`${element.name} takes no ${child.name}`);
      look(child, [...parents, element.name]);
    }
  };
  look(root, []);
  return faults;
}

/** Brackets and quotes of a C# expression, and nothing behind the last. */
function isBalanced(expression: string): boolean {
  const open: string[] = [];
  const pairs: Record<string, string> = { ')': '(', '}': '{', ']': '[' };
  let quoted = false;
  for (let at = 1; at < expression.length; at += 1) {
    const letter = expression[at] as string;
    if (letter === '"' && expression[at - 1] !== '\\') quoted = !quoted;
    if (quoted) continue;
    if ('({['.includes(letter)) open.push(letter);
    else if (letter in pairs && open.pop() !== pairs[letter]) return false;
    if (open.length === 0 && at < expression.length - 1) return false;
  }
  return open.length === 0 && !quoted;
}
