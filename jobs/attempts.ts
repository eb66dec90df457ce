import { type TallystickError, toTallystickError } from '../src/platform/errors.ts';

/** Pieces of work of one run that do not depend on one another: what fails stops none of the others. */
export interface Attempts {
  /** Does a piece, and keeps the first failure. @throws whatever comes once the run is to end */
  attempt: (work: () => Promise<void>) => Promise<void>;
  /** @throws the first failure, should there be one */
  end: () => void;
}

export function startAttempts(signal: AbortSignal | undefined): Attempts {
  let failure: TallystickError | null = null;
  return {
    attempt: async (work) => {
      try {
        signal?.throwIfAborted();
        await work();
      } catch (error) {
        if (signal?.aborted === true) throw error;
        failure ??= toTallystickError(error);
      }
    },
    end: () => {
      if (failure !== null) throw failure;
    },
  };
}
