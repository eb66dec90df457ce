/** Who of the house tries models, and with what. Whether they may, the gateway says. */
export const EXPERIMENT = {
  subject: 'researcher-1',
  feature: 'experiments',
  deployment: 'gpt-4o-global',
  model: 'gpt-4o',
} as const;
