// One method per command: auth.session.login becomes client.session.login. Names and types are derived from the
// schemas.
import { type Commands, commandSchemas } from "../protocol/generated/schemas.ts";
import type { AuthClient, CallOptions, Topic } from "./types.ts";

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;
type Area = Topic extends infer Each ? (Each extends `auth.${infer Name}.${string}` ? Name : never) : never;
type Method<T extends Topic> = (input: Commands[T]["input"], options?: CallOptions) => Promise<Commands[T]["result"]>;

/** client.<area>.<command>(input, options): every command. */
export type Methods = {
  [Name in Area]: { [T in Topic as T extends `auth.${Name}.${infer Command}` ? Camel<Command> : never]: Method<T> };
};

export function methodsOf(client: Pick<AuthClient, "request">): Methods {
  const areas: Record<string, Record<string, (input: never, options?: CallOptions) => Promise<unknown>>> = {};
  for (const topic of Object.keys(commandSchemas) as Topic[]) {
    const [, area = "", command = ""] = topic.split(".");
    areas[area] ??= {};
    areas[area][camel(command)] = (input, options) => client.request(topic, input, options);
  }
  return areas as unknown as Methods;
}

function camel(name: string): string {
  return name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
