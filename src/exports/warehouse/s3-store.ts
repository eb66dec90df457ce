import { AwsClient } from 'aws4fetch';
import { createHttpStore } from './http-store.ts';
import type { ObjectStore } from './store.ts';

export interface S3Access {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  region: string;
  /** Of a store that speaks S3 and is not Amazon's; buckets are in its paths. */
  endpoint?: string | undefined;
}

/** A bucket of Amazon S3, or of what speaks it, and the prefix in it. */
export function createS3Store(bucket: string, prefix: string, access: S3Access): ObjectStore {
  const { accessKeyId, secretAccessKey, sessionToken, region, endpoint } = access;
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    service: 's3',
    region,
    // We repeat ourselves.
    retries: 0,
  });
  const base =
    endpoint === undefined
      ? `https://${bucket}.s3.${region}.amazonaws.com/`
      : `${endpoint.replace(/\/$/, '')}/${bucket}/`;
  return createHttpStore({
    description: `s3://${bucket}/${prefix}`,
    urlOf: (name) => new URL(base + prefix + name),
    send: (url, init) => client.fetch(url, init),
    // What comes in is compared with it there.
    putHeaders: ({ sha256 }) => ({ 'X-Amz-Content-Sha256': sha256 }),
  });
}
