// Which consumer reads which partitions. The group's leader applies one of two rules to what every member reports:
// - shared: each topic goes only to members that subscribed to it, balanced per topic. Equal partition numbers of
//   topics with the same subscribers go to the same member, and a member keeps its partitions as far as balance allows.
// - single: the only member of a requester's own group reads one partition of its reply topic, and all partitions of
//   its other topics. Nothing here talks to Kafka.

export interface Member {
  memberId: string;
  topics: string[];
  /** What the member reported with userData() before this assignment. */
  userData: Buffer;
}

/** memberId -> topic -> partitions */
export type Plan = Map<string, Map<string, number[]>>;

export interface AssignPartitions {
  /** What this member reports to the leader: for `shared`, its partitions. */
  userData(): Buffer;
  assign(members: Member[], partitions: Map<string, number[]>, prefix: string): Plan;
}

/** topic -> partitions */
export type Held = Record<string, number[]>;

/** @param held this member's partitions now, by topic without prefix */
export function shared(held: () => Held): AssignPartitions {
  return {
    userData: () => Buffer.from(JSON.stringify(held())),
    assign: (members, partitions, prefix) => assignShared(members, partitions, prefix),
  };
}

export function single(topic: string, partition: () => number): AssignPartitions {
  return {
    userData: () => Buffer.alloc(0),
    assign: (members, partitions, prefix) => {
      const given = new Map([...partitions, [prefix + topic, [partition()]]]);
      return new Map(members.slice(0, 1).map((member) => [member.memberId, given]));
    },
  };
}

function assignShared(members: Member[], partitions: Map<string, number[]>, prefix: string): Plan {
  const plan: Plan = new Map(members.map((member) => [member.memberId, new Map()]));
  for (const { subscribers, topics } of bySubscribers(members, [...partitions.keys()])) {
    const sizes = topics.map((topic) => partitions.get(topic)!.length);
    const former = formerOwners(
      subscribers,
      topics.map((topic) => topic.slice(prefix.length)),
    );
    const owners = ownersOfNumbers(subscribers, sizes, former);
    for (const topic of topics) {
      for (const partition of partitions.get(topic)!) {
        const held = plan.get(owners[partition]!)!;
        held.set(topic, [...(held.get(topic) ?? []), partition]);
      }
    }
  }
  return plan;
}

/** Topics with the same subscribers are assigned together. */
function bySubscribers(members: Member[], topics: string[]) {
  const groups = new Map<string, { subscribers: Member[]; topics: string[] }>();
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  for (const topic of topics.sort()) {
    const subscribers = sorted.filter((member) => member.topics.includes(topic));
    if (subscribers.length === 0) continue;
    const key = subscribers.map((member) => member.memberId).join();
    const group = groups.get(key) ?? { subscribers, topics: [] };
    group.topics.push(topic);
    groups.set(key, group);
  }
  return groups.values();
}

/**
 * The owner of each partition number. A topic of n partitions uses the numbers 0..n-1. The numbers are dealt in blocks
 * that end where a topic ends, each balanced together with those before it, so that every topic is balanced whatever
 * its size.
 */
function ownersOfNumbers(subscribers: Member[], sizes: number[], former: Map<number, string>): string[] {
  const owners: string[] = [];
  const load = new Map(subscribers.map((member) => [member.memberId, 0]));
  let start = 0;
  for (const end of [...new Set(sizes)].sort((a, b) => a - b)) {
    dealBlock({ start, end, owners, load, former });
    start = end;
  }
  return owners;
}

/**
 * The member that had most of these topics' partitions of a number: topics with different owners are joined when
 * subscriptions change.
 */
function formerOwners(subscribers: Member[], topics: string[]): Map<number, string> {
  const most = new Map<number, { owner: string; held: number }>();
  for (const member of subscribers) {
    for (const [number, held] of heldBy(member, topics)) {
      if (held > (most.get(number)?.held ?? 0)) most.set(number, { owner: member.memberId, held });
    }
  }
  return new Map([...most].map(([number, { owner }]) => [number, owner]));
}

/** number -> for how many of these topics the member has it */
function heldBy(member: Member, topics: string[]): Map<number, number> {
  const counts = new Map<number, number>();
  const held = readHeld(member.userData);
  for (const topic of topics) {
    const numbers = Object.hasOwn(held, topic) ? held[topic] : [];
    for (const number of Array.isArray(numbers) ? numbers : []) counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  return counts;
}

/** A member with an unreadable report counts as having nothing. */
function readHeld(userData: Buffer): Record<string, unknown> {
  try {
    const held: unknown = JSON.parse(userData.toString());
    return typeof held === "object" && held !== null ? (held as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

interface Block {
  start: number;
  end: number;
  owners: string[];
  load: Map<string, number>;
  former: Map<number, string>;
}

/** First every owner keeps its numbers, up to its share of 0..end; the rest goes to whoever has least. */
function dealBlock({ start, end, owners, load, former }: Block): void {
  const floor = Math.floor(end / load.size);
  let extras = end % load.size;
  for (const [, count] of load) if (count > floor) extras -= 1;
  for (let number = start; number < end; number += 1) {
    const owner = former.get(number);
    if (owner === undefined) continue;
    const count = load.get(owner)!;
    const extra = count === floor && extras > 0;
    if (count >= floor && !extra) continue;
    if (extra) extras -= 1;
    owners[number] = owner;
    load.set(owner, count + 1);
  }
  for (let number = start; number < end; number += 1) {
    if (owners[number] !== undefined) continue;
    const [least] = [...load].reduce((a, b) => (b[1] < a[1] ? b : a));
    owners[number] = least;
    load.set(least, load.get(least)! + 1);
  }
}
