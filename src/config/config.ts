// The configuration of a process, typed by the table in variables.ts.
import type { variables } from "./variables.ts";

type Table = typeof variables;
type Optional = {
  [Name in keyof Table]: Table[Name] extends { default: unknown } ? never : Name;
}[keyof Table];

type Values = { [Name in keyof Table]: Table[Name] extends { parse: (text: string) => infer T } ? T : never };

/** Every variable's value; undefined where it has no default and is not set. */
export type Config = { [Name in keyof Values]: Name extends Optional ? Values[Name] | undefined : Values[Name] };
