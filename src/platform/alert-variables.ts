import { z } from 'zod';

/** What alerts are sent with. */
export interface AlertSettings {
  /** The mail server, with user and password; null: no mail is sent. */
  smtpUrl: string | null;
  /** Whom mail is from. */
  from: string | null;
  /** Origins that alerts may be sent to although they are within a private network, or are loopback. */
  listedOrigins: readonly string[];
  /** By the name of their variable: addresses of Slack and Teams, and what webhooks are signed with. */
  secrets: Readonly<Record<string, string>>;
}

/** Every variable whose name begins so is a secret of a route. */
const SECRET_PREFIX = 'ALERT_SECRET_';
export const SECRET_NAME = /^ALERT_SECRET_[A-Z0-9_]{1,60}$/;

const origin = (text: string) => URL.canParse(text) && new URL(text).origin === text;
const isLoopback = (url: URL) => ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
const isListable = (text: string) => {
  if (!origin(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
};

/** Variables of the environment. */
export const ALERT_VARIABLES = {
  ALERT_SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/\S+$/, { error: 'must be smtp:// or smtps:// with user, password, host and port' })
    .refine((text) => URL.canParse(text), { error: 'must be an address' })
    .optional(),
  ALERT_FROM: z
    .string()
    .regex(/^[^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>$|^[^\s<>@]+@[^\s<>@]+$/, {
      error: 'must be a mail address, or Name <address>',
    })
    .optional(),
  ALERT_LISTED_ORIGINS: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((part) => part !== ''))
    .refine((origins) => origins.every(isListable), {
      error:
        'must be origins such as https://hooks.internal:8443, separated by spaces (http for loopback only)',
    })
    .optional(),
};

type Variables = z.output<z.ZodObject<typeof ALERT_VARIABLES>>;

/** The secrets of routes that an environment has. */
export function readAlertSecrets(environment: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith(SECRET_PREFIX) && value !== undefined && value !== '' ? [[name, value]] : [],
    ),
  );
}

export function readAlertSettings(
  config: Variables & { ALERT_SECRETS: Record<string, string> },
): AlertSettings {
  return {
    smtpUrl: config.ALERT_SMTP_URL ?? null,
    from: config.ALERT_FROM ?? null,
    listedOrigins: config.ALERT_LISTED_ORIGINS ?? [],
    secrets: config.ALERT_SECRETS,
  };
}
