#!/usr/bin/env node
import { runCommandLine } from './command-line/program.ts';

await runCommandLine(process.argv);
