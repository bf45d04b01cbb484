// The assigner: who reads which partitions, for any members, subscriptions and sizes of topics.
import fc from "fast-check";
import { type Member, type Plan, shared, single } from "../../src/kafka/assigner.ts";

const topicNames = ["auth.a", "auth.b", "auth.c", "auth.d"];
const { assign } = shared(() => ({}));

interface Group {
  members: Member[];
  partitions: Map<string, number[]>;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

const anyUserData = fc.oneof(
  fc
    .dictionary(fc.constantFrom(...topicNames), fc.array(fc.nat({ max: 30 })))
    .map((held) => Buffer.from(JSON.stringify(held))),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
);

const groups: fc.Arbitrary<Group> = fc.record({
  members: fc
    .array(fc.record({ topics: fc.subarray(topicNames), userData: anyUserData }), { minLength: 1, maxLength: 7 })
    .map((members) => members.map((member, number) => ({ memberId: `member-${number}`, ...member }))),
  partitions: fc
    .tuple(...topicNames.map(() => fc.integer({ min: 0, max: 25 })))
    .map((sizes) => new Map(topicNames.map((topic, at) => [topic, numbers(sizes[at]!)]))),
});

const subscribersOf = (members: Member[], topic: string): Member[] =>
  members.filter((member) => member.topics.includes(topic));

/** topic -> partition -> everybody it was given to */
function ownersOf(plan: Plan, topic: string): Map<number, string[]> {
  const owners = new Map<number, string[]>();
  for (const [memberId, held] of plan) {
    for (const partition of held.get(topic) ?? []) owners.set(partition, [...(owners.get(partition) ?? []), memberId]);
  }
  return owners;
}

/** What every member would say of itself after this plan. */
function holding(members: Member[], plan: Plan): Member[] {
  return members.map((member) => {
    const held = Object.fromEntries(plan.get(member.memberId) ?? []);
    return { ...member, userData: shared(() => held).userData() };
  });
}

test("every partition of a topic with subscribers goes to exactly one, and to one of them; other topics to nobody", () => {
  fc.assert(
    fc.property(groups, ({ members, partitions }) => {
      const plan = assign(members, partitions, "");
      expect([...plan.keys()].sort()).toEqual(members.map((member) => member.memberId).sort());
      for (const [topic, all] of partitions) {
        const subscribers = subscribersOf(members, topic).map((member) => member.memberId);
        const owners = ownersOf(plan, topic);
        expect([...owners.keys()].sort((a, b) => a - b)).toEqual(subscribers.length > 0 ? all : []);
        for (const given of owners.values()) {
          expect(given).toHaveLength(1);
          expect(subscribers).toContain(given[0]);
        }
      }
    }),
  );
});

test("a topic's subscribers have equally many of its partitions, or one more", () => {
  fc.assert(
    fc.property(groups, ({ members, partitions }) => {
      const plan = assign(members, partitions, "");
      for (const topic of partitions.keys()) {
        const counts = subscribersOf(members, topic).map((each) => plan.get(each.memberId)!.get(topic)?.length ?? 0);
        if (counts.length > 0) expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    }),
  );
});

test("topics with the same subscribers have the same number at the same member", () => {
  fc.assert(
    fc.property(groups, ({ members, partitions }) => {
      const plan = assign(members, partitions, "");
      const key = (topic: string) =>
        subscribersOf(members, topic)
          .map((each) => each.memberId)
          .join();
      for (const one of topicNames) {
        for (const other of topicNames.filter((topic) => key(topic) === key(one))) {
          const [owners, others] = [ownersOf(plan, one), ownersOf(plan, other)];
          for (const [partition, owner] of owners) {
            if (others.has(partition)) expect(others.get(partition)).toEqual(owner);
          }
        }
      }
    }),
  );
});

test("the leader's plan does not depend on the order in which members and topics come", () => {
  fc.assert(
    fc.property(groups, ({ members, partitions }) => {
      const turned = new Map([...partitions].reverse());
      const plan = assign(members, partitions, "");
      const again = assign([...members].reverse(), turned, "");
      for (const topic of topicNames) expect(ownersOf(again, topic)).toEqual(ownersOf(plan, topic));
    }),
  );
});

describe("stickiness, where all subscribe to the same", () => {
  const fleets = fc.record({
    count: fc.integer({ min: 1, max: 8 }),
    sizes: fc.uniqueArray(fc.integer({ min: 1, max: 24 }), { minLength: 1, maxLength: 3 }),
  });
  const fleet = (ids: string[], topics: string[]): Member[] =>
    ids.map((memberId) => ({ memberId, topics, userData: Buffer.alloc(0) }));
  const names = (count: number): string[] => numbers(count).map((number) => `member-${number}`);

  function moved(
    before: Plan,
    after: Plan,
    topics: string[],
  ): { topic: string; partition: number; from: string; to: string }[] {
    return topics.flatMap((topic) => {
      const former = ownersOf(before, topic);
      return [...ownersOf(after, topic)]
        .map(([partition, [to]]) => ({ topic, partition, from: former.get(partition)![0]!, to: to! }))
        .filter(({ from, to }) => from !== to);
    });
  }

  test("nothing moves while nothing changes, whoever subscribed to what", () => {
    fc.assert(
      fc.property(groups, ({ members, partitions }) => {
        const before = assign(members, partitions, "");
        const after = assign(holding(members, before), partitions, "");
        expect(moved(before, after, topicNames)).toEqual([]);
      }),
    );
  });

  test("a member that joins moves nothing of topics it did not subscribe to", () => {
    fc.assert(
      fc.property(groups, ({ members, partitions }) => {
        const [one, ...rest] = members;
        const others = topicNames.filter((topic) => !one!.topics.includes(topic));
        const alone = assign(rest, partitions, "");
        expect(moved(alone, assign([one!, ...holding(rest, alone)], partitions, ""), others)).toEqual([]);
      }),
    );
  });

  test("a topic that comes under other subscribers stays with its owner as far as balance allows", () => {
    const all = fleet(["a", "b"], ["auth.a", "auth.b"]);
    const partitions = new Map(["auth.a", "auth.b"].map((topic) => [topic, numbers(6)]));
    const before = assign(all, partitions, "");
    const pool = fleet(["c"], ["auth.b"]); // auth.b has three owners from now on, auth.a the same two as before
    const after = assign([...holding(all, before), ...pool], partitions, "");
    expect(moved(before, after, ["auth.a"])).toEqual([]);
    expect(moved(before, after, ["auth.b"]).map(({ to }) => to)).toEqual(["c", "c"]);
  });

  test("topics have a prefix on the broker, and members do not say it", () => {
    const members = fleet(["a", "b"], ["t1.auth.a"]).map((member) => ({ ...member, userData: Buffer.from("[]") }));
    members[0]!.userData = Buffer.from(JSON.stringify({ "auth.a": [2, 3] }));
    const plan = assign(members, new Map([["t1.auth.a", numbers(4)]]), "t1.");
    expect(plan.get("a")).toEqual(new Map([["t1.auth.a", [2, 3]]]));
  });

  test("topics of one size: a member that joins or leaves moves only the partitions it gets or had", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 30 }), fc.nat(), (count, size, at) => {
        const partitions = new Map(["auth.a", "auth.b"].map((topic) => [topic, numbers(size)]));
        const topics = [...partitions.keys()];
        const few = fleet(names(count), topics);
        const before = assign(few, partitions, "");
        const newcomer = `member-${(at % (count + 1)) - 0.5}`; // anywhere in the order of names
        const joined = assign([...holding(few, before), ...fleet([newcomer], topics)], partitions, "");
        const joining = moved(before, joined, topics);
        expect(joining.filter(({ to }) => to !== newcomer)).toEqual([]);
        expect(joining.length).toBeLessThanOrEqual(topics.length * Math.ceil(size / (count + 1)));
        if (count < 2) return;
        const leaver = few[at % count]!.memberId;
        const rest = few.filter((member) => member.memberId !== leaver);
        const left = assign(holding(rest, before), partitions, "");
        expect(moved(before, left, topics).filter(({ from }) => from !== leaver)).toEqual([]);
      }),
    );
  });

  test("topics of several sizes: beyond that, at most as many numbers move as there are members, for each further size", () => {
    fc.assert(
      fc.property(fleets, ({ count, sizes }) => {
        const topics = topicNames.slice(0, sizes.length);
        const partitions = new Map(topics.map((topic, at) => [topic, numbers(sizes[at]!)]));
        const longest = topics[sizes.indexOf(Math.max(...sizes))]!;
        const bound = count * (sizes.length - 1);
        const few = fleet(names(count), topics);
        const before = assign(few, partitions, "");
        const joined = assign([...holding(few, before), ...fleet(["newcomer"], topics)], partitions, "");
        const joining = moved(before, joined, [longest]);
        expect(joining.filter(({ to }) => to !== "newcomer").length).toBeLessThanOrEqual(bound);
        if (count < 2) return;
        const rest = holding(few.slice(1), before);
        const leaving = moved(before, assign(rest, partitions, ""), [longest]);
        expect(leaving.filter(({ from }) => from !== few[0]!.memberId).length).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 500 },
    );
  });
});

test("members of two versions: the topic that only the new one knows goes to it, the others are shared", () => {
  const old = { memberId: "old", topics: ["auth.a"], userData: Buffer.from('{"auth.a":[0,1,2,3]}') };
  const fresh = { memberId: "new", topics: ["auth.a", "auth.b"], userData: Buffer.alloc(0) };
  const partitions = new Map([
    ["auth.a", numbers(4)],
    ["auth.b", numbers(3)],
  ]);
  const plan = assign([old, fresh], partitions, "");
  expect(plan.get("old")).toEqual(new Map([["auth.a", [0, 1]]]));
  expect(plan.get("new")!.get("auth.a")).toEqual([2, 3]);
  expect(plan.get("new")!.get("auth.b")).toEqual([0, 1, 2]);
});

test("more members than partitions: the rest hold nothing and are still named", () => {
  const members = ["a", "b", "c"].map((memberId) => ({ memberId, topics: ["auth.a"], userData: Buffer.alloc(0) }));
  const plan = assign(members, new Map([["auth.a", [0]]]), "");
  expect([...plan.values()].map((held) => held.size).sort()).toEqual([0, 0, 1]);
});

test("a member tells what it holds at that time", () => {
  let held: Record<string, number[]> = {};
  const { userData } = shared(() => held);
  expect(userData().toString()).toBe("{}");
  held = { "auth.a": [3, 5] };
  expect(userData().toString()).toBe('{"auth.a":[3,5]}');
});

test("single gives one member one partition of the one topic, and all of the others it subscribed to", () => {
  let partition = 2;
  const alone = single("auth.reply.x", () => partition);
  const members = ["a", "b"].map((memberId) => ({ memberId, topics: ["other"], userData: alone.userData() }));
  expect(alone.assign(members, new Map(), "t1.")).toEqual(new Map([["a", new Map([["t1.auth.reply.x", [2]]])]]));
  partition = 0;
  expect(alone.assign(members.slice(1), new Map(), "").get("b")).toEqual(new Map([["auth.reply.x", [0]]]));
  const known = new Map([
    ["auth.reply.x", [0, 1, 2]],
    ["auth.fleet", [0]],
  ]);
  const both = new Map([
    ["auth.reply.x", [0]],
    ["auth.fleet", [0]],
  ]);
  expect(alone.assign(members.slice(1), known, "").get("b")).toEqual(both);
  expect(alone.assign([], new Map(), "")).toEqual(new Map());
});
