import type { Command } from 'commander';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { addFocusCommand } from './focus/command.ts';
import { addWarehouseCommand } from './warehouse/command.ts';

/** Adds `tallystick exports`. */
export function addExportsCommand(program: Command, frame: CommandFrame): void {
  const command = program.command('exports').description("costs for everyone's own tools");
  addFocusCommand(command, frame);
  addWarehouseCommand(command, frame);
}
