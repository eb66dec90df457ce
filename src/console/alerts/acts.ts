import { acknowledgeAlert, resendAlert, testRoute } from '../../alerts/desk.ts';
import { createRoute, endRoute } from '../../alerts/route-store.ts';
import { textOf } from '../../pages/address.ts';
import { shortened } from '../../pages/texts.ts';
import { askForStep } from '../../platform/http/dependencies.ts';
import { ROW_ID } from '../../platform/row-id.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';
import { readRouteForm } from './route-form.ts';

/** What is done about routes: by the functions of the API's routes. */
export const ROUTE_ACTS: Readonly<Record<string, PageAct>> = {
  create: {
    scopes: ['finance'],
    makes: true,
    run: async (form, view) => {
      const terms = readRouteForm(form);
      const { name } = await createRoute(view.dependencies.database, { ...actOf(view), terms });
      return { notice: `Made: ${shortened(name)} gets what is raised from now on. Send a test there.` };
    },
  },
  test: {
    scopes: ['finance'],
    run: async (form, view) => {
      const { name } = await testRoute(view.dependencies.database, {
        ...actOf(view),
        routeId: routeOf(form),
      });
      await askForStep(view.dependencies, 'send-alerts', 'a test of a route');
      return {
        notice: `A test is on its way to ${shortened(name)}: the list says within a minute what became of it.`,
      };
    },
  },
  end: {
    scopes: ['finance'],
    run: async (form, view) => {
      const { name } = await endRoute(view.dependencies.database, { ...actOf(view), routeId: routeOf(form) });
      return { notice: `Ended: nothing is sent to ${shortened(name)} any more.` };
    },
  },
};

/** What is done about one alert. */
export const ALERT_ACTS: Readonly<Record<string, PageAct>> = {
  acknowledge: {
    scopes: ['finance'],
    run: async (form, view) => {
      const reason =
        textOf(form, 'reason') === undefined ? null : requiredText(form, 'reason', 'Say it shorter.', 2_000);
      const alertId = readAlertId(view.params.alertId);
      await acknowledgeAlert(view.dependencies.database, { ...actOf(view), alertId, reason });
      return { notice: 'Acknowledged: others see that you see to it.' };
    },
  },
  resend: {
    scopes: ['finance'],
    run: async (form, view) => {
      const alertId = readAlertId(view.params.alertId);
      await resendAlert(view.dependencies.database, { ...actOf(view), alertId, routeId: routeOf(form) });
      await askForStep(view.dependencies, 'send-alerts', 'an alert was sent again');
      return { notice: 'On its way again: the list below says within a minute what became of it.' };
    },
  },
};

/** Of what is no id there is no alert, either. */
export function readAlertId(text: string | undefined): bigint {
  return ROW_ID.test(text ?? '') ? BigInt(text ?? '') : 0n;
}

const routeOf = (form: URLSearchParams) => form.get('route') ?? '';

const actOf = ({ caller, dependencies }: ConsoleView) => ({
  actor: caller.actor,
  now: dependencies.clock.now(),
});
