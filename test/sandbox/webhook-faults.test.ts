import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import Stripe from 'stripe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SandboxFaultSettings } from '../../sandbox/fault-settings.ts';
import { type FaultyWorld, openFaultyWorld } from './world.ts';

const SECRET = 'whsec_snapshots';
const THIN_SECRET = 'whsec_thin';

interface Arrival {
  id: string;
  type: string;
  created: number;
  genuine: boolean;
}

let world: FaultyWorld;
let server: Server;
let arrivals: Arrival[];
let url: string;

beforeEach(async () => {
  arrivals = [];
  const receiver = new Hono();
  receiver.post('/:kind', async (context) => {
    const body = await context.req.text();
    const secret = context.req.param('kind') === 'thin' ? THIN_SECRET : SECRET;
    const header = context.req.header('stripe-signature') ?? '';
    const genuine =
      (await Stripe.webhooks.signature?.verifyHeaderAsync(body, header, secret).catch(() => false)) === true;
    const { id, type, created } = JSON.parse(body) as Arrival;
    arrivals.push({ id, type, created, genuine });
    return context.text('', genuine ? 200 : 400);
  });
  server = serve({ fetch: receiver.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  await new Promise<void>((resolve) => (server.listening ? resolve() : server.once('listening', resolve)));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await world.close();
  await new Promise((resolve) => server.close(resolve));
});

/** The first customer's period ends three days after the start: four events and more. */
async function endPeriod(webhooks: SandboxFaultSettings & object): Promise<void> {
  world = await openFaultyWorld({
    stripe: {
      webhook: { url: `${url}/snapshots`, secret: SECRET },
      thinWebhook: { url: `${url}/thin`, secret: THIN_SECRET },
    },
  });
  expect((await world.set(webhooks)).status).toBe(200);
  await world.advance(3 * 24 + 6);
  await expect.poll(() => new Set(genuine().map((one) => one.id)).size).toBe(4);
}

const genuine = () => arrivals.filter((one) => one.genuine);
const TYPES = ['invoice.created', 'customer.subscription.updated', 'invoice.finalized', 'invoice.paid'];

describe("Stripe's webhooks", () => {
  it('come once and in order without a fault', async () => {
    await endPeriod({});
    expect(arrivals.map((one) => one.type)).toEqual(TYPES);
  });

  it('come twice', async () => {
    await endPeriod({ stripe: { webhooks: { duplicatePercent: 100 } } });
    await expect.poll(() => arrivals.length).toBe(8);
    expect(arrivals.map((one) => one.type)).toEqual(TYPES.flatMap((type) => [type, type]));
    expect(new Set(arrivals.map((one) => one.id)).size).toBe(4);
  });

  it('come in another order, and none is lost', async () => {
    await endPeriod({ stripe: { webhooks: { reorderPercent: 100 } } });
    expect(arrivals.map((one) => one.type)).not.toEqual(TYPES);
    expect(arrivals.map((one) => one.type).sort()).toEqual([...TYPES].sort());
  });

  it('come forged as well, with another id and a signature that proves nothing', async () => {
    await endPeriod({ stripe: { webhooks: { forgePercent: 100 } } });
    const forged = arrivals.filter((one) => !one.genuine);
    expect(forged.length).toBe(4);
    for (const one of forged) expect(one.id).toMatch(/_forged$/);
  });

  it('tell later of meter events that were accepted, by name for five of them', async () => {
    await endPeriod({});
    arrivals = [];
    await world.set({ stripe: { lose: { how: 'missing_dimension_payload_keys', count: 7 } } });
    for (let index = 0; index < 7; index += 1) {
      expect((await world.write('stripe', { identifier: `late-${index}` })).status).toBe(200);
    }
    expect(Number((await world.totals()).billedTokens)).toBe(0);
    await world.advance(1);
    await expect.poll(() => arrivals.length).toBe(1);
    const [report] = arrivals;
    expect(report).toMatchObject({ type: 'v1.billing.meter.error_report_triggered', genuine: true });
    const event = (await (await world.stripe(`/v2/core/events/${report?.id}`)).json()) as {
      data: { reason: { error_count: number; error_types: { code: string; sample_errors: object[] }[] } };
    };
    expect(event.data.reason.error_count).toBe(7);
    expect(event.data.reason.error_types[0]).toMatchObject({ code: 'missing_dimension_payload_keys' });
    expect(event.data.reason.error_types[0]?.sample_errors.length).toBe(5);
  });
});
