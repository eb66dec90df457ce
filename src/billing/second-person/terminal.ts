/** What a command says of an act that waits for a second person; null: it is done. */
export function sayAsked(answer: object): string | null {
  if (!('secondPerson' in answer)) return null;
  const { id, amount, currency, expiresAt } = answer.secondPerson as {
    id: string;
    amount: string | null;
    currency: string | null;
    expiresAt: string;
  };
  const money =
    amount === null || currency === null ? 'An unknown amount' : `${amount} ${currency.toUpperCase()}`;
  return `${money} needs a second person: request ${id} waits until ${expiresAt}. Nothing is done yet.`;
}
