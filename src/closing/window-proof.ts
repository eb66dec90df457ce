import { createHash } from 'node:crypto';
import { type CloseChain, isChained, type RecordedCollection } from '../../pricing/closing/collection.ts';
import type { QueryRecipe } from '../azure/source.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { chainDigest, hashRecipe } from '../usage/collection/window-chain.ts';
import {
  type Certified,
  type ChainCheckpoint,
  type CollectedWindow,
  readCertifiedWindows,
  readCheckpoints,
  readDigestBefore,
} from './certified-windows.ts';

/**
 * Whether the ledger's windows are what a certificate says: `intact`, `altered`, or `dropped` when some of them are older
 * than what is kept, so that only the rest could be proven.
 */
export interface WindowProof {
  verdict: 'intact' | 'altered' | 'dropped';
  certifiedWindowCount: string;
  /** Windows whose digests were computed again. */
  provenWindowCount: string;
}

export type BuildText = (
  recipe: QueryRecipe,
  asked: { window: CollectedWindow['window']; by: CollectedWindow['cursorKind'] },
) => string;

/** Windows held at a time. */
const PAGE_SIZE = 2_000;

/** Computes the digests of a certificate again, from what the ledger has. One snapshot: retention may be at work. */
export async function proveWindows(
  snapshot: LedgerSnapshot,
  certified: Certified,
  buildText: BuildText,
): Promise<WindowProof> {
  const checkpoints = await readCheckpoints(snapshot);
  const { collection } = certified;
  if (!isChained(collection))
    return await proveTexts(snapshot, certified, collection, checkpoints, buildText);
  const proofs: WindowProof[] = [];
  for (const [index, chain] of collection.chains.entries()) {
    const checkpoint = checkpoints.find(({ source, by }) => source === chain.source && by === chain.by);
    proofs.push(await proveChain(snapshot, certified, { index, chain, checkpoint }));
  }
  const sum = (pick: (proof: WindowProof) => string) =>
    String(proofs.reduce((total, proof) => total + BigInt(pick(proof)), 0n));
  return {
    verdict:
      (['altered', 'dropped'] as const).find((bad) => proofs.some(({ verdict }) => verdict === bad)) ??
      'intact',
    certifiedWindowCount: sum((proof) => proof.certifiedWindowCount),
    provenWindowCount: sum((proof) => proof.provenWindowCount),
  };
}

async function proveChain(
  snapshot: LedgerSnapshot,
  certified: Certified,
  of: { index: number; chain: CloseChain; checkpoint: ChainCheckpoint | undefined },
): Promise<WindowProof> {
  const { chain, checkpoint } = of;
  const certifiedWindowCount = chain.windowCount;
  const altered = { verdict: 'altered', certifiedWindowCount, provenWindowCount: '0' } as const;
  if (checkpoint === undefined) return altered;
  const firstPosition = BigInt(chain.firstPosition);
  const isWhole = checkpoint.droppedCount < firstPosition;
  let position = isWhole ? firstPosition : checkpoint.droppedCount + 1n;
  let digest = isWhole ? await readDigestBefore(snapshot, checkpoint, position) : checkpoint.droppedDigest;
  let [windowCount, rowCount, newRowCount] = [0n, 0n, 0n];
  let firstDigest: Buffer | null = null;
  for await (const window of walk(snapshot, certified, of.index, position - 1n)) {
    const { recipe, ...rest } = window;
    digest = chainDigest(digest, { ...rest, querySha256: hashRecipe(recipe) });
    if (window.position !== position || !digest.equals(window.digest)) return altered;
    firstDigest ??= digest;
    position += 1n;
    windowCount += 1n;
    rowCount += BigInt(window.rowCount);
    newRowCount += BigInt(window.newRowCount);
  }
  const provenWindowCount = String(windowCount);
  const reachesHead = position > BigInt(chain.lastPosition);
  if (!isWhole) {
    // Of a part that is gone as a whole only the end of the very last window is known.
    const endsRight = windowCount === 0n || (reachesHead && digest.toString('hex') === chain.lastDigest);
    return { verdict: endsRight ? 'dropped' : 'altered', certifiedWindowCount, provenWindowCount };
  }
  const found = [windowCount, rowCount, newRowCount].map(String);
  const isSame =
    reachesHead &&
    firstDigest?.toString('hex') === chain.firstDigest &&
    digest.toString('hex') === chain.lastDigest &&
    found.join() === [chain.windowCount, chain.rowCount, chain.newRowCount].join();
  return { verdict: isSame ? 'intact' : 'altered', certifiedWindowCount, provenWindowCount };
}

/** Format 1: one hash over instants and texts, which are built anew. */
async function proveTexts(
  snapshot: LedgerSnapshot,
  certified: Certified,
  { source, windowCount: certifiedWindowCount, windowsSha256 }: RecordedCollection,
  checkpoints: readonly ChainCheckpoint[],
  buildText: BuildText,
): Promise<WindowProof> {
  const isGone = checkpoints.some(
    ({ source: name, droppedUntil }) =>
      name === source && droppedUntil !== null && droppedUntil > certified.periodStart,
  );
  if (isGone) return { verdict: 'dropped', certifiedWindowCount, provenWindowCount: '0' };
  const hash = createHash('sha256');
  let windowCount = 0n;
  for await (const { window, cursorKind: by, recipe } of walk(snapshot, certified, 0, 0n)) {
    // Windows that came after the certificate are no part of it.
    if (windowCount === BigInt(certifiedWindowCount)) break;
    windowCount += 1n;
    hash.update(
      `${window.start.toISOString()} ${window.end.toISOString()} ${buildText(recipe, { window, by })}\n`,
    );
  }
  const isSame = String(windowCount) === certifiedWindowCount && hash.digest('hex') === windowsSha256;
  return {
    verdict: isSame ? 'intact' : 'altered',
    certifiedWindowCount,
    provenWindowCount: String(windowCount),
  };
}

async function* walk(
  snapshot: LedgerSnapshot,
  certified: Certified,
  chain: number,
  after: bigint,
): AsyncGenerator<CollectedWindow> {
  for (let from = { chain, after }; ; ) {
    const page = await readCertifiedWindows(snapshot, certified, { from, limit: PAGE_SIZE });
    const own = page.filter((found) => found.chain === chain);
    for (const { window } of own) yield window;
    const last = own.at(-1)?.window;
    if (last === undefined || own.length < PAGE_SIZE) return;
    from = { chain, after: isChained(certified.collection) ? last.position : last.windowId };
  }
}
