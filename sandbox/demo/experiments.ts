import { EXPERIMENTATION } from '../../pricing/budgets/templates.ts';
import { readGatewaySecrets } from '../../src/enforcement/signature.ts';
import { createEnforcementState } from '../../src/enforcement/state.ts';
import { commandLineCaller } from '../../src/identity/command-line-caller.ts';
import { createApp } from '../../src/service/app.ts';
import { VERSION } from '../../src/service/http-server.ts';
import { GatewayStandIn } from '../gateway/gateway.ts';
import type { PassedMinute } from '../gateway/passed-calls.ts';
import { EXPERIMENT } from '../traffic/experiment.ts';
import { wantedExperiments } from '../traffic/experiments.ts';
import { VirtualClock } from '../virtual-clock.ts';
import type { DemoWorld } from './world.ts';

/** As the policy's named value; calls are a minute apart. */
const ENFORCEMENT_SECONDS = 60;

/** People of the house who try models. Each of their calls passes the gateway's stand-in, which asks Tallystick over its API. */
export interface Experimenters {
  /**
   * Makes the calls that are wanted in `[fromMs, toMs)`, unless that was done by a run before this one. What passes is in the
   * source from then on; what is stopped never is.
   */
  play(fromMs: number, toMs: number): Promise<void>;
}

export async function openExperimenters({
  deps,
  sandbox,
  scenario,
  clock,
}: Pick<DemoWorld, 'deps' | 'sandbox' | 'scenario' | 'clock'>): Promise<Experimenters | null> {
  if (scenario.experiments !== true) return null;
  const { database, billing } = deps;
  // Between two ticks of the demo only the gateway's time passes.
  const callClock = new VirtualClock(clock.nowMs());
  const [secret = ''] = await readGatewaySecrets({ database, clock: callClock });
  const app = createApp({
    database,
    billing,
    clock: callClock,
    version: VERSION,
    caller: commandLineCaller(),
    // In virtual time a quarter of a second without a look is days.
    enforcement: createEnforcementState({ database, clock: callClock, askEveryMs: 0 }),
  });
  const settings = {
    tallystickUrl: '',
    apiKey: '',
    secret,
    enforcementSeconds: ENFORCEMENT_SECONDS,
    fail: 'closed' as const,
    deploymentModels: `${EXPERIMENT.deployment}=${EXPERIMENT.model}`,
  };
  const gateway = new GatewayStandIn(settings, callClock, async (url, init) => await app.request(url, init));
  return {
    play: async (fromMs, toMs) => {
      const wanted = wantedExperiments(scenario, fromMs, toMs);
      if (wanted.length === 0 || (await sandbox.readPassed()).untilMs >= toMs) return;
      const passed: PassedMinute[] = [];
      let stoppedCallCount = 0;
      for (const { eventMs, calls } of wanted) {
        callClock.advanceTo(eventMs);
        const { subject, feature, deployment } = EXPERIMENT;
        const caller = { tenantKey: EXPERIMENTATION.customerId, subject, feature };
        const minute: PassedMinute = { eventMs, ...caller, deployment, model: EXPERIMENT.model, calls: [] };
        for (const call of calls) {
          const answer = await gateway.call({ ...caller, deployment, ...call });
          if (answer.status !== 200) stoppedCallCount += 1;
          else minute.calls.push(call);
        }
        if (minute.calls.length > 0) passed.push(minute);
      }
      await sandbox.recordGatewayTurn({ untilMs: toMs, passed, stoppedCallCount });
    },
  };
}
