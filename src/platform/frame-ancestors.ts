import { z } from 'zod';

/** Whose pages may frame ours, as a policy names origins: https, with or without `*.` before the host; plain http for loopback only. */
export const FRAME_ANCESTORS = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((part) => part !== ''))
  .refine(
    (all) =>
      all.every(
        (one) =>
          /^https:\/\/(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:\d{1,5})?$/i.test(one) ||
          /^http:\/\/(127\.0\.0\.1|localhost)(:\d{1,5})?$/.test(one),
      ),
    {
      error:
        'must be origins such as https://portal.example.com or https://*.example.com, separated by spaces',
    },
  );
