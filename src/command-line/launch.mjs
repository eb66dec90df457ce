#!/usr/bin/env node
// In a checkout the TypeScript runs as it is; installed as a package, where Node strips no types, the build does.
import { existsSync } from 'node:fs';

const source = new URL('../main.ts', import.meta.url);
const installed = import.meta.url.includes('/node_modules/');
await import(existsSync(source) && !installed ? source : new URL('../../dist/src/main.js', import.meta.url));
