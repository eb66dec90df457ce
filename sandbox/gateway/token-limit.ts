const MINUTE_SECONDS = 60;

/**
 * `llm-token-limit` with `tokens-per-minute` and estimated prompts: a call whose prompt does not fit into what its key has left is
 * refused; what it completes is counted afterwards, so that a minute may end above its limit, as the vendor's page says.
 */
export class TokenLimit {
  readonly #minutes = new Map<string, { startedAt: number; tokenCount: number }>();

  /** @returns null: let through and counted; else seconds to wait */
  take(
    key: string,
    tokensPerMinute: number,
    { promptTokens, completionTokens }: { promptTokens: number; completionTokens: number },
    now: number,
  ): number | null {
    const known = this.#minutes.get(key);
    const minute =
      known !== undefined && now - known.startedAt < MINUTE_SECONDS
        ? known
        : { startedAt: now, tokenCount: 0 };
    this.#minutes.set(key, minute);
    if (minute.tokenCount + promptTokens > tokensPerMinute) return minute.startedAt + MINUTE_SECONDS - now;
    minute.tokenCount += promptTokens + completionTokens;
    return null;
  }
}
