/**
 * Why usage was counted otherwise than it would be now. `told_apart`: cached tokens of a maker that tells them beside the
 * prompt were taken out of it; `untold_parts`: audio or images were counted as text, and the rows that say so wait;
 * `contradicting`: figures of a minute contradict each other, and would wait now.
 */
export const RECOUNT_CAUSES = ['told_apart', 'untold_parts', 'contradicting'] as const;
export type RecountCause = (typeof RECOUNT_CAUSES)[number];
