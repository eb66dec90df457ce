import type { HardCap } from '../../pricing/enforcement/hard-caps.ts';

/** Under this name the gateway keeps how many tokens a budget allows. */
export function namedValueOf({ budgetId }: Pick<HardCap, 'budgetId'>): string {
  return `tallystick-cap-${budgetId}`;
}

/**
 * The policy fragment by which API Management counts what budgets allow. How much that is are named values: where only a limit is
 * another, the fragment stays as it is. Each budget is a part of its own, in the order of their ids.
 */
export function renderCapFragment(caps: readonly HardCap[]): string {
  const parts = [...caps].sort((a, b) => (a.budgetId < b.budgetId ? -1 : 1)).map(renderCap);
  return `<!--
  Caps that the gateway counts by itself, made of the budgets that stop: tallystick enforcement hard-caps. Include it in the
  INBOUND section, after tallystick-caller, in place of tallystick-hard-cap. Each named value that it names comes with it.
-->
<fragment>
${parts.join('')}</fragment>
`;
}

function renderCap(cap: HardCap): string {
  const { budgetId, perUser, period } = cap;
  const counter = `tallystick-cap|${budgetId}`;
  const key = perUser
    ? `@(${attribute(`"${counter}|" + (string)context.Variables["tallystickUserId"]`)})`
    : counter;
  const condition = conditionOf(cap);
  const limit = (indent: string) =>
    [
      `${indent}<llm-token-limit`,
      `${indent}  counter-key="${key}"`,
      `${indent}  token-quota="{{${namedValueOf(cap)}}}"`,
      `${indent}  token-quota-period="${period}"`,
      `${indent}  estimate-prompt-tokens="true" />\n`,
    ].join('\n');
  if (condition === null) return limit('  ');
  return `  <choose>
    <when condition="@(${attribute(condition)})">
${limit('      ')}    </when>
  </choose>
`;
}

/** Whose calls count, as an expression of C#; null: everybody's. */
function conditionOf({
  tenantKey,
  subject,
  feature,
  exceptTenantKeys,
  exceptSubjects,
}: HardCap): string | null {
  const compare = (variable: string, sign: '==' | '!=', text: string) =>
    `(string)context.Variables["${variable}"] ${sign} ${literal(text)}`;
  const parts = [
    ...(tenantKey === null ? [] : [compare('tallystickTenantId', '==', tenantKey)]),
    ...(subject === null ? [] : [compare('tallystickUserId', '==', subject)]),
    ...(feature === null ? [] : [compare('tallystickFeature', '==', feature)]),
    ...exceptTenantKeys.map((text) => compare('tallystickTenantId', '!=', text)),
    ...exceptSubjects.map((text) => compare('tallystickUserId', '!=', text)),
  ];
  return parts.length === 0 ? null : parts.join(' && ');
}

/** Names come from outside: whatever ends a text, an attribute or a comment, or names a value, is written by its number. */
function literal(text: string): string {
  const plain = text.replaceAll(
    /[^A-Za-z0-9_.@-]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${plain}"`;
}

function attribute(expression: string): string {
  return expression.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
