// The numbers that clients of proto/ were compiled with: of each message its fields, of each enum its values, and of
// each service its methods. A client that meets another field under a number it knows reads nonsense without an error,
// so what was released keeps its number, name and type. A field may only go away, and then its number is `reserved`.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

/** Of a message or enum `number: "name type"`, of a service `method: "request -> reply"`, by full name. */
export type ProtoNumbers = Record<string, Record<string, string>>;

export interface ProtoDefinition {
  numbers: ProtoNumbers;
  /** Whether this number of a message or enum is reserved. */
  isReserved(name: string, number: number): boolean;
}

/** @param directory of which every .proto file counts */
export async function readProtos(directory: string): Promise<ProtoDefinition> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".proto"));
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(directory, target);
  await root.load(files.sort(), { keepCase: true });
  root.resolveAll();
  const entries = namedIn(root).map((each) => [each.fullName.slice(1), each] as const);
  const byName = new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    numbers: Object.fromEntries([...byName].map(([name, each]) => [name, numbersOf(each)])),
    isReserved(name, number) {
      const each = byName.get(name);
      if (each === undefined || each instanceof protobuf.Service) return false;
      // The end of a range belongs to it. isReservedId() of protobufjs 7.6 leaves it out, and so every single number.
      return (each.reserved ?? []).some((range) => Array.isArray(range) && range[0]! <= number && number <= range[1]!);
    },
  };
}

type Named = protobuf.Type | protobuf.Enum | protobuf.Service;

function namedIn(namespace: protobuf.NamespaceBase): Named[] {
  return namespace.nestedArray.flatMap((each) => {
    const nested = each instanceof protobuf.Namespace ? namedIn(each) : [];
    const isOurs = !each.fullName.startsWith(".google.");
    const isNamed = each instanceof protobuf.Type || each instanceof protobuf.Enum || each instanceof protobuf.Service;
    return isNamed && isOurs ? [each, ...nested] : nested;
  });
}

function numbersOf(each: Named): Record<string, string> {
  if (each instanceof protobuf.Enum) return { ...each.valuesById };
  if (each instanceof protobuf.Type)
    return Object.fromEntries(each.fieldsArray.map((field) => [field.id, `${field.name} ${typeOf(field)}`]));
  return Object.fromEntries(each.methodsArray.map((method) => [method.name, signatureOf(method)]));
}

function typeOf(field: protobuf.Field): string {
  const type = field.resolvedType?.fullName.slice(1) ?? field.type;
  if (field instanceof protobuf.MapField) return `map<${field.keyType}, ${type}>`;
  return field.repeated ? `repeated ${type}` : type;
}

function signatureOf(method: protobuf.Method): string {
  const [request, reply] = [method.resolvedRequestType, method.resolvedResponseType].map((type) => {
    return type!.fullName.slice(1);
  });
  return `${method.requestStream ? "stream " : ""}${request} -> ${method.responseStream ? "stream " : ""}${reply}`;
}

/** @returns a sentence for each released number that is used for something else, or not reserved though it is gone */
export function protoFaults(released: ProtoNumbers, { numbers, isReserved }: ProtoDefinition): string[] {
  return Object.entries(released).flatMap(([name, before]) => {
    const now = numbers[name];
    if (now === undefined) return [`proto: ${name} was released and is gone.`];
    return Object.entries(before).flatMap(([number, was]) => {
      const is = now[number];
      if (is === was || (is === undefined && isReserved(name, Number(number)))) return [];
      const what = `proto: ${name} ${number} was released as "${was}"`;
      return is === undefined ? [`${what} and is gone: reserve it.`] : [`${what} and is "${is}" now.`];
    });
  });
}

/** What was ever released, with what is there now. */
export function addProtoNumbers(released: ProtoNumbers, current: ProtoNumbers): ProtoNumbers {
  const names = [...new Set([...Object.keys(released), ...Object.keys(current)])].sort();
  return Object.fromEntries(names.map((name) => [name, { ...released[name], ...current[name] }]));
}
