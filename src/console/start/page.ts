import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { definePage } from '../frame/define-page.ts';
import { gatherInstallation, type Installation } from './gather.ts';

interface Step {
  isDone: boolean;
  title: string;
  how: Html;
}

function stepsOf(installation: Installation): Step[] {
  return [
    {
      isDone: installation.hasCollected,
      title: 'Usage is collected from Azure',
      how: html`Set <code>AZURE_LOGS_WORKSPACE_ID</code> and credentials, give the gateway its policy (<code>docs/azure.md</code>), and start <code>tallystick run</code>. <code>tallystick doctor</code> says what is missing.`,
    },
    {
      isDone: installation.hasUsage,
      title: 'There is usage',
      how: html`Make a call through the gateway. Its tokens are in Azure after a few minutes, and here after <code>COLLECT_LAG_MINUTES</code> more.`,
    },
    {
      isDone: installation.hasSettled,
      title: 'OpenMeter agrees with an hour',
      how: html`Set <code>OPENMETER_URL</code> and <code>OPENMETER_API_KEY</code>, make its meters, and wait for the first hour to close.`,
    },
    {
      isDone: installation.hasCustomers,
      title: 'Stripe’s customers are known',
      how: html`Set <code>STRIPE_API_KEY</code>, and give each customer in Stripe the tenant in its metadata (<code>docs/stripe.md</code>).`,
    },
    {
      isDone: installation.hasPlans && installation.hasBindings,
      title: 'They have prices that say what they count',
      how: html`Subscribe a customer to metered prices whose metadata names model, token type and feature (<code>docs/stripe.md</code>).`,
    },
  ];
}

/** What a new installation lacks, and how to get it. */
export const startPage = definePage<Installation>({
  path: '/console/start',
  title: 'What is set up, and what is missing',
  scopes: ['sales', 'finance'],
  gather: gatherInstallation,
  show: (installation) => {
    const steps = stepsOf(installation);
    const missing = steps.filter(({ isDone }) => !isDone).length;
    return {
      body: html`<p class="lead">${missing === 0 ? 'Everything is there.' : `${missing} of ${steps.length} steps are still to be done. To see it all with invented numbers first: `}${missing === 0 ? '' : html`<code>npm start</code>`}</p>
<ol class="steps">${steps.map(({ isDone, title, how }) => html`<li><strong>${title}</strong> ${isDone ? html`<span class="tag good">done</span>` : html`<span class="tag warn">missing</span><br>${how}`}</li>`)}</ol>`,
    };
  },
});
