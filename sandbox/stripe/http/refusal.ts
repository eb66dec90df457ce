/** An error answer in Stripe's own form. Thrown by handlers, sent by the wiring. */
export class StripeRefusal extends Error {
  readonly status: number;
  readonly body: { error: { type: string; code?: string; message: string; param?: string } };
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    error: { type?: string; code?: string; message: string; param?: string },
    headers: Record<string, string> = {},
  ) {
    super(error.message);
    this.status = status;
    this.body = { error: { type: 'invalid_request_error', ...error } };
    this.headers = headers;
  }

  /**
   * Whether the endpoint was at work, so that the answer is kept under the call's idempotency key. Not so when the key of
   * the account, the rate, a call in flight or the form of the parameters stood in the way.
   */
  get isKept(): boolean {
    const { type, code } = this.body.error;
    if ([401, 409, 429].includes(this.status) || type === 'idempotency_error') return false;
    return code?.startsWith('parameter_') !== true;
  }
}

export function refuseParameter(param: string, message: string, code = 'parameter_invalid'): StripeRefusal {
  return new StripeRefusal(400, { code, message, param });
}

export function refuseMissing(param: string): StripeRefusal {
  return refuseParameter(param, `Missing required param: ${param}.`, 'parameter_missing');
}

export function refuseUnknown(kind: string, id: string, param = 'id'): StripeRefusal {
  return new StripeRefusal(404, { code: 'resource_missing', message: `No such ${kind}: '${id}'`, param });
}
