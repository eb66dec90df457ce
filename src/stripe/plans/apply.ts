import type { PlanCatalogChange } from '../../../pricing/plans/catalog.ts';
import type { PlanCatalogPort } from './catalog.ts';

/**
 * Writes changes of a plan's catalogue in their order. Each may be repeated, so that after a stop half-way a new
 * comparison finds what is left and nothing is made twice.
 * @throws UpstreamError
 */
export async function applyPlanChanges(
  port: PlanCatalogPort,
  changes: readonly PlanCatalogChange[],
  onDone: (change: PlanCatalogChange) => void = () => {},
  signal?: AbortSignal,
): Promise<void> {
  const meterIdByEvent = new Map<string, string>();
  const productIdByRate = new Map<string, string>();
  for (const change of changes) {
    signal?.throwIfAborted();
    switch (change.kind) {
      case 'create_meter': {
        const { eventName, displayName } = change;
        const meter = await port.createMeter({ eventName, displayName }, signal);
        meterIdByEvent.set(eventName, meter.meterId);
        break;
      }
      case 'create_product': {
        const { planId, name, taxCode, metadata } = change;
        const product = await port.createProduct({ planId, name, taxCode, metadata }, signal);
        productIdByRate.set(change.rateId, product.productId);
        break;
      }
      case 'update_product':
        await port.updateProduct(
          change.productId,
          { name: change.name, active: change.active, taxCode: change.taxCode },
          signal,
        );
        break;
      case 'create_price': {
        const productId = change.productId ?? productIdByRate.get(change.rateId);
        const meterId = change.meterId ?? meterIdByEvent.get(change.eventName);
        if (productId === undefined || meterId === undefined) {
          throw new RangeError(`${change.lookupKey} comes before its product or its meter`);
        }
        const { planId, lookupKey, currency, price, taxBehavior, nickname, metadata } = change;
        await port.createPrice(
          { planId, productId, meterId, lookupKey, currency, price, taxBehavior, nickname, metadata },
          signal,
        );
        break;
      }
      case 'set_tax_behavior':
        await port.setTaxBehavior(change.priceId, change.taxBehavior, signal);
        break;
      case 'activate_price':
        await port.activatePrice(change.priceId, signal);
        break;
      case 'deactivate_price':
        await port.deactivatePrice(change.priceId, signal);
        break;
    }
    onDone(change);
  }
}
