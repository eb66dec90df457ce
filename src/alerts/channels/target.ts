import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A target that alerts are not sent to, whatever it answers. */
export class RefusedTarget extends Error {
  override readonly name = 'RefusedTarget';
}

/**
 * The address of a webhook: https, without user and password in it, or an origin that the operator listed.
 * @throws RefusedTarget
 */
export function readTarget(text: string, listedOrigins: readonly string[]): { url: URL; isListed: boolean } {
  const url = URL.parse(text);
  if (url === null) throw new RefusedTarget('its address is none');
  if (url.username !== '' || url.password !== '')
    throw new RefusedTarget('its address has a user or password');
  const isListed = listedOrigins.includes(url.origin);
  if (url.protocol !== 'https:' && !isListed) throw new RefusedTarget('its address is not https');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!isListed && ipaddr.isValid(host)) requirePublic(host);
  return { url, isListed };
}

/**
 * Resolves a name, and refuses it where any of its addresses is not on the public internet: the very addresses that are then
 * connected to, so that a name cannot answer otherwise in between.
 */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, [], 4);
    try {
      for (const { address } of addresses) requirePublic(address);
    } catch (refused) {
      return callback(refused as Error, [], 4);
    }
    const [first] = addresses;
    if (options.all === true || first === undefined) return callback(null, addresses, 4);
    callback(null, first.address, first.family);
  });
};

/** Loopback, private, link-local, metadata, carrier's and every other range that is not the internet's (ipaddr.js). */
function requirePublic(address: string): void {
  // An address of version 4 within one of version 6 is what it maps.
  const range = ipaddr.process(address).range();
  if (range !== 'unicast') throw new RefusedTarget(`it resolves to an address that is not public (${range})`);
}
