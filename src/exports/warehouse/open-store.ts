import { fileURLToPath } from 'node:url';
import type { Config } from '../../platform/config.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { readApiSettings } from '../../platform/http/dependencies.ts';
import { createFolderStore } from './folder-store.ts';
import type { ObjectStore, Warehouse } from './store.ts';

export type WarehouseConfig = Pick<
  Config,
  'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY' | 'AWS_SESSION_TOKEN' | 'AWS_REGION' | 'WAREHOUSE_S3_ENDPOINT'
>;

/** The warehouse of this configuration, if there is one. */
export function configuredWarehouse(config: Config): { warehouse?: Warehouse } {
  const { WAREHOUSE_URL: address } = config;
  if (address === undefined) return {};
  return {
    warehouse: {
      openStore: () => openStore(address, config),
      account: readApiSettings(config).billingAccount,
    },
  };
}

/**
 * The place that an address means: `file:///folder`, `s3://bucket/prefix`, or the https address of a blob container. What
 * speaks to the last two is loaded when it is needed.
 * @throws ValidationError for an address of another kind; TallystickError CONFIG without the keys of S3
 */
export async function openStore(address: string, config: WarehouseConfig): Promise<ObjectStore> {
  const url = URL.parse(address);
  switch (url?.protocol) {
    case 'file:':
      return createFolderStore(fileURLToPath(url));
    case 's3:': {
      const { createS3Store } = await import('./s3-store.ts');
      const prefix = url.pathname.replace(/^\//, '').replace(/\/?$/, '/');
      return createS3Store(url.host, prefix === '/' ? '' : prefix, readS3Access(config));
    }
    case 'https:':
    case 'http:': {
      const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
      if (url.protocol === 'http:' && !isLocal) break;
      const { createBlobStore } = await import('./blob-store.ts');
      return createBlobStore(url);
    }
  }
  throw new ValidationError(
    'warehouse',
    'is no address that we can write to',
    'Give file:///folder, s3://bucket/prefix, or https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX.',
  );
}

function readS3Access(config: WarehouseConfig) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = config;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new TallystickError('A warehouse in S3 needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY', {
      code: 'CONFIG',
      retry: false,
      fix: 'Set both to a key that may put and get objects in the bucket.',
    });
  }
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken: config.AWS_SESSION_TOKEN,
    region: config.AWS_REGION,
    endpoint: config.WAREHOUSE_S3_ENDPOINT,
  };
}
