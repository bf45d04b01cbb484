// All commands of authctl, in the order of `authctl help`, and what their groups are.
import { auditCommands } from "./audit/commands.ts";
import type { Command } from "./command.ts";
import { sessionCommands } from "./connect/commands.ts";
import { demo } from "./demo/commands.ts";
import { dlqCommands } from "./dlq/commands.ts";
import { fleetCommands } from "./fleet/commands.ts";
import { importUsers } from "./import/commands.ts";
import { keyCommands } from "./keys/commands.ts";
import { operatorCommands } from "./operators/commands.ts";
import { request } from "./request/commands.ts";
import { roleCommands } from "./roles/commands.ts";
import { completion } from "./terminal/commands.ts";
import { userCommands } from "./users/commands.ts";

export const commands: readonly Command[] = [
  ...sessionCommands,
  demo,
  request,
  ...userCommands,
  ...roleCommands,
  ...operatorCommands,
  ...dlqCommands,
  ...keyCommands,
  ...auditCommands,
  ...fleetCommands,
  importUsers,
  completion,
];
