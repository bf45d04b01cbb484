// Roles: what they permit, who has them, and the statements that change either. Each change of a role's permissions
// raises its version; changing or deleting a role demands the version that was read.
import { sql } from "slonik";
import { z } from "zod";
import { rolesState } from "./account-state.ts";
import type { Read, Write } from "./statements.ts";

/** The user's permissions: those of all their roles. */
export function permissionsOf(userId: number): Read<{ permissions: string[] }> {
  const select = sql.fragment`
    SELECT ARRAY(
      SELECT DISTINCT p.permission FROM user_roles ur JOIN role_permissions p ON p.role_id = ur.role_id
      WHERE ur.user_id = ${userId}) AS permissions`;
  return { select, row: z.object({ permissions: z.array(z.string()) }) };
}

const roleRank = z.object({ name: z.string(), permissions: z.array(z.string()) });
/** A role as command/admin/rank.ts compares it. */
export type RoleRank = z.infer<typeof roleRank>;

const rolePermissions = sql.fragment`ARRAY(
  SELECT p.permission FROM role_permissions p WHERE p.role_id = r.id ORDER BY p.permission COLLATE "C")`;

/** The user's roles, whether or not their sessions carry them. */
export function rolesOf(userId: number): Read<{ roles: RoleRank[] }> {
  const select = sql.fragment`
    SELECT COALESCE(jsonb_agg(jsonb_build_object('name', r.name, 'permissions', to_jsonb(${rolePermissions})) ORDER BY r.name), '[]') AS roles
    FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = ${userId}`;
  return { select, row: z.object({ roles: z.array(roleRank) }) };
}

/** The user's roles, and those of the given names that exist. */
export function rolesOfAnd(userId: number, names: string[]): Read<{ roles: (RoleRank & { held: boolean })[] }> {
  const select = sql.fragment`
    SELECT COALESCE(jsonb_agg(jsonb_build_object('name', r.name, 'permissions', to_jsonb(${rolePermissions}), 'held', ur.user_id IS NOT NULL)
      ORDER BY r.name), '[]') AS roles
    FROM roles r LEFT JOIN user_roles ur ON ur.role_id = r.id AND ur.user_id = ${userId}
    WHERE ur.user_id IS NOT NULL OR r.name = ANY(${sql.array(names, "text")})`;
  return { select, row: z.object({ roles: z.array(roleRank.extend({ held: z.boolean() })) }) };
}

/** Whether one of these roles has the permission. */
export function isPermitted(roles: string[], permission: string): Read<{ allowed: boolean }> {
  const select = sql.fragment`
    SELECT EXISTS (
      SELECT FROM roles r JOIN role_permissions p ON p.role_id = r.id
      WHERE r.name = ANY(${sql.array(roles, "text")}) AND p.permission = ${permission}) AS allowed`;
  return { select, row: z.object({ allowed: z.boolean() }) };
}

/** The permissions of the roles with these names. */
export function permissionsOfRoles(names: string[]): Read<{ permissions: string[] }> {
  const select = sql.fragment`
    SELECT ARRAY(
      SELECT DISTINCT p.permission FROM roles r JOIN role_permissions p ON p.role_id = r.id
      WHERE r.name = ANY(${sql.array(names, "text")})) AS permissions`;
  return { select, row: z.object({ permissions: z.array(z.string()) }) };
}

export function allRoles(): Read<{ roles: RoleRank[] }> {
  const select = sql.fragment`
    SELECT COALESCE(jsonb_agg(jsonb_build_object('name', r.name, 'permissions', to_jsonb(${rolePermissions})) ORDER BY r.name), '[]') AS roles
    FROM roles r`;
  return { select, row: z.object({ roles: z.array(roleRank) }) };
}

const storedRole = roleRank.extend({ id: z.number(), version: z.number(), held: z.boolean() });
export type StoredRole = z.infer<typeof storedRole>;

/** A role, and whether any user has it. */
export function roleByName(name: string): Read<StoredRole> {
  const select = sql.fragment`
    SELECT r.id, r.name, r.version, EXISTS (SELECT FROM user_roles ur WHERE ur.role_id = r.id) AS held,
      ${rolePermissions} AS permissions
    FROM roles r WHERE r.name = ${name}`;
  return { select, row: storedRole };
}

/** A change of an existing role, or a new role. */
export interface RoleChange {
  name: string;
  /** Null: a new role; the unique key on its name decides races. */
  before: Pick<StoredRole, "id" | "version"> | null;
  grant: string[];
  revoke: string[];
}

export function changeRole({ name, before, grant, revoke }: RoleChange): Write[] {
  return [
    {
      name: "role",
      changes: 1,
      statement: (gate) =>
        before === null
          ? sql.fragment`INSERT INTO roles (name) SELECT ${name} WHERE ${gate} RETURNING id`
          : sql.fragment`
            UPDATE roles SET version = version + 1 WHERE id = ${before.id} AND version = ${before.version} AND ${gate} RETURNING id`,
    },
    {
      name: "grant_permissions",
      statement: (gate) => sql.fragment`
        INSERT INTO role_permissions (role_id, permission)
        SELECT role.id, permission FROM role, unnest(${sql.array(grant, "text")}) AS permission WHERE ${gate}
        ON CONFLICT DO NOTHING RETURNING 1`,
    },
    {
      name: "revoke_permissions",
      statement: (gate) => sql.fragment`
        DELETE FROM role_permissions p USING role
        WHERE p.role_id = role.id AND p.permission = ANY(${sql.array(revoke, "text")}) AND ${gate} RETURNING 1`,
    },
  ];
}

/** The foreign key of user_roles decides races with giving the role to a user. */
export function deleteRole({ id, version }: Pick<StoredRole, "id" | "version">): Write {
  return {
    name: "delete_role",
    changes: 1,
    statement: (gate) =>
      sql.fragment`DELETE FROM roles WHERE id = ${id} AND version = ${version} AND ${gate} RETURNING 1`,
  };
}

/** Gives the user exactly these roles, each once; the commit is rolled back if one does not exist. */
export function replaceRoles(userId: number, names: string[]): Write[] {
  const wanted = sql.fragment`(SELECT id FROM roles WHERE name = ANY(${sql.array(names, "text")}))`;
  return [
    {
      name: "roles_are_there",
      changes: names.length,
      statement: (gate) => sql.fragment`SELECT 1 FROM roles WHERE name = ANY(${sql.array(names, "text")}) AND ${gate}`,
      state: [rolesState(names)],
    },
    {
      name: "drop_roles",
      statement: (gate) => sql.fragment`
        DELETE FROM user_roles WHERE user_id = ${userId} AND role_id NOT IN ${wanted} AND ${gate} RETURNING 1`,
    },
    {
      name: "add_roles",
      statement: (gate) => sql.fragment`
        INSERT INTO user_roles (user_id, role_id) SELECT ${userId}, id FROM roles
        WHERE name = ANY(${sql.array(names, "text")}) AND ${gate} ON CONFLICT DO NOTHING RETURNING 1`,
    },
  ];
}

const besides = (userId: number) => sql.fragment`
  EXISTS (
    SELECT FROM roles r JOIN user_roles ur ON ur.role_id = r.id JOIN users o ON o.id = ur.user_id
    WHERE r.name = 'admin' AND o.id <> ${userId} AND o.confirmed_at IS NOT NULL AND NOT is_banned(o.banned_at, o.banned_until))`;

/** Whether another user has the role admin and can log in. */
export function adminBeside(userId: number): Read<{ beside: boolean }> {
  return { select: sql.fragment`SELECT ${besides(userId)} AS beside`, row: z.object({ beside: z.boolean() }) };
}

/** Demands another administrator, at the time when the commit holds all its locks and until it ends. */
export function demandAdminBeside(userId: number): Write {
  return {
    name: "admin_beside",
    changes: 1,
    statement: (gate) => sql.fragment`SELECT 1 WHERE CASE WHEN ${gate} THEN is_admin_beside(${userId}) ELSE false END`,
  };
}
