// Compares roles and operators in the database with what the audit's events made of them: it finds a permission that
// was written past the fleet, or an operator who was restored. It uses the rows that the chain's verification reads
// anyway.

import { adminRole } from "../accounts/users.ts";
import { permissions as own } from "../command/admin/permissions.ts";
import { decryptEntry } from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { decryptOperator } from "../crypto/operators.ts";
import type { ReadRow } from "../db/audit-reading.ts";
import { inSnapshot, rightsNow, rightsRows, waitingEntries } from "../db/audit-state.ts";
import type { DatabasePool } from "../db/pool.ts";

interface RoleSaid {
  permissions: string[];
  required: boolean;
}

interface OperatorSaid {
  permissions: string[];
  kids: Set<string>;
}

/** Events that change rights. */
const rightsEvents = ["RoleChanged", "RoleDeleted", "MfaRequirementChanged", "OperatorAdded", "OperatorRemoved"];

interface Event {
  event: string;
  outcome: string;
  details: Record<string, unknown>;
}

export class Rights {
  /** The roles that migrations create. */
  readonly #roles = new Map<string, RoleSaid>([
    [adminRole, { permissions: [], required: false }],
    ["user", { permissions: [], required: false }],
  ]);
  readonly #operators = new Map<string, OperatorSaid>();

  see({ event, outcome, details }: ReadRow): void {
    if (rightsEvents.includes(event)) this.#take({ event, outcome, details: JSON.parse(details) as Event["details"] });
  }

  #take({ event, outcome, details }: Event): void {
    if (outcome !== "ok") return;
    const { role, permissions, required, operator, kid } = details as {
      role: string;
      permissions: string[];
      required: boolean;
      operator: string;
      kid?: string;
    };
    switch (event) {
      case "RoleChanged":
        this.#roles.set(role, { required: this.#roles.get(role)?.required ?? false, permissions });
        break;
      case "RoleDeleted":
        this.#roles.delete(role);
        break;
      case "MfaRequirementChanged":
        this.#roles.set(role, { permissions: this.#roles.get(role)?.permissions ?? [], required });
        break;
      case "OperatorAdded":
        this.#operators.set(operator, {
          permissions,
          kids: new Set([...(this.#operators.get(operator)?.kids ?? []), kid!]),
        });
        break;
      case "OperatorRemoved":
        if (kid === undefined) this.#operators.delete(operator);
        else this.#operators.get(operator)?.kids.delete(kid);
    }
  }

  /**
   * @param complete whether every row was seen; otherwise the result says nothing
   * @param behind the last row that was seen
   * @returns a sentence for each difference
   */
  async compare({
    pool,
    dataKeys,
    complete,
    behind,
  }: {
    pool: DatabasePool;
    dataKeys: DataKeys;
    complete: boolean;
    behind: number;
  }): Promise<string[]> {
    if (!complete) return [];
    const { now, rows, waiting } = await inSnapshot(pool, async (db) => ({
      now: await rightsNow(db),
      rows: await rightsRows(db, { behind, events: rightsEvents }),
      waiting: await waitingEntries(db, Number.MAX_SAFE_INTEGER),
    }));
    for (const row of rows) this.#take({ ...row, details: JSON.parse(row.details) as Event["details"] });
    for (const { encrypted } of waiting) {
      const entry = decryptEntry(dataKeys, encrypted);
      if (typeof entry !== "string" && rightsEvents.includes(entry.event)) this.#take(entry);
    }
    return [...this.#compareRoles(now.roles), ...this.#compareOperators(now.operators, dataKeys)];
  }

  #compareRoles(roles: readonly { name: string; permissions: string[]; required: boolean }[]): string[] {
    const now = new Map(roles.map((role) => [role.name, role]));
    const names = new Set([...now.keys(), ...this.#roles.keys()]);
    return [...names].sort().flatMap((name) => {
      const [said, is] = [this.#roles.get(name), now.get(name)];
      if (said === undefined) return [`The role ${name} was made by no event.`];
      if (is === undefined) return [`The role ${name} is gone, and no event says so.`];
      const by = permitted(name, said.permissions);
      return [
        ...(text(by) === text(is.permissions)
          ? []
          : [`The role ${name} permits ${text(is.permissions)}, and by its last event ${text(by)}.`]),
        ...(said.required === is.required
          ? []
          : [`The role ${name} requires a second factor or not otherwise than its last event says.`]),
      ];
    });
  }

  #compareOperators(operators: readonly { name: string; encrypted: Buffer }[], dataKeys: DataKeys): string[] {
    const left = new Set(this.#operators.keys());
    const differing = operators.flatMap(({ name, encrypted }) => {
      const said = this.#operators.get(name);
      left.delete(name);
      const is = opened(dataKeys, name, encrypted);
      if (is === undefined) return [`The row of the operator ${name} was not written by this fleet.`];
      if (said === undefined) return [`The operator ${name} was enrolled by no event, or is removed.`];
      const kids = is.keys.map(({ kid }) => kid);
      const same = text(is.permissions) === text(said.permissions) && text(kids) === text([...said.kids]);
      return same ? [] : [`The operator ${name} has other keys or permissions than the last events say.`];
    });
    return [...differing, ...[...left].map((name) => `The operator ${name} is gone, and no event says so.`)];
  }
}

/** Migrations give admin this version's permissions without an event. */
function permitted(role: string, permissions: readonly string[]): string[] {
  return role === adminRole ? [...new Set([...permissions, ...Object.keys(own)])] : [...permissions];
}

const text = (list: readonly string[]): string => [...list].sort().join(", ") || "(nothing)";

function opened(dataKeys: DataKeys, name: string, encrypted: Buffer) {
  try {
    return decryptOperator(dataKeys.cipher("operator"), name, encrypted);
  } catch {
    return undefined;
  }
}
