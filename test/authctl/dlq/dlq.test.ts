// authctl dlq against a fleet of its own: dead letters are listed, shown without secrets, replayed as the records they
// were, and dropped.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { sealIn } from "../../../src/authctl/dlq/replayable.ts";
import { sealRequest } from "../../../src/bus/seal/seal.ts";
import type { InRecord, OutRecord } from "../../../src/kafka/records.ts";
import { deadLetterTopic } from "../../../src/protocol/bus-names.ts";
import { replyTopic } from "../../support/raw.ts";
import { until } from "../../support/until.ts";
import { type Confirmed, confirmed, newUser, refusalOf } from "../../support/users.ts";
import { answering, authctl, called } from "../authctl.ts";
import {
  admin,
  bansOf,
  broken,
  buried,
  document,
  fleet,
  type Listed,
  listed,
  mark,
  newMark,
  raw,
  registering,
  run,
  sendLegacy,
  strangeLetter,
  usersOf,
} from "./dead-letters.ts";
import { letterOf, login, notReplayable, sealed } from "./not-replayable.ts";

describe("garbage on a legacy topic", () => {
  const token = "a".repeat(43);

  test("is listed, by the real command too, and shown without the token in it", async () => {
    await sendLegacy("delete", { id: "12", token, note: token });
    const id = await buried();
    const { code, stdout, stderr } = await authctl(["dlq", "list", "--topic", "del*", "--since", "1h"], fleet.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const line = stdout.split("\n").find((each) => each.startsWith(`${id} `));
    expect(line).toMatch(/ {2}\d{4}-\d\d-\d\dT\S+Z {2}delete\/0\/\d+ {2}the body is no JSON object with a numeric id$/);
    const shown = await run(`show ${id}`);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/state +open\n/);
    expect(shown.stdout).toMatch(/key +the key\n/);
    expect(shown.stdout).toMatch(/replay +can be replayed\n/);
    expect(shown.stdout).toContain(
      '{"id":"12","token":"(withheld: 43 characters)","note":"(withheld: 43 characters)"}',
    );
    expect(shown.stdout).toMatch(new RegExp(`test-mark +${mark}\n`));
    expect(`${shown.stdout}${(await run(`show ${id} --json`)).stdout}`).not.toContain(token);
  });

  test("that is no JSON is shown by its first bytes alone, and what could move a terminal is not shown as it is", async () => {
    await sendLegacy("delete", "\u001b[2Jswordfish", { evil: "\u001b[2J", authorization: "Bearer swordfish" });
    const shown = await run(`show ${await buried()}`);
    expect(shown.stdout).toMatch(/value +\d+ bytes, beginning 0x1b5b324a73: the value is no JSON\n/);
    expect(shown.stdout).toMatch(/evil +0x1b5b324a\n/);
    expect(shown.stdout).toMatch(/authorization +\(withheld: 16 bytes\)\n/);
    expect(shown.stdout).not.toContain("\u001b");
    expect(shown.stdout).not.toContain("swordfish");
  });

  test("replayed is a dead letter again, with an id of its own, and no second replay of the first", async () => {
    await sendLegacy("delete", "garbage");
    const first = await buried();
    expect(await document(`replay ${first} --yes`)).toEqual({ replayed: [first], refused: [], more: false });
    const second = await buried(mark, 2);
    expect(second).not.toBe(first);
    expect(await listed("--limit 1000")).toContain(second);
    expect(await listed("--limit 1000")).not.toContain(first);
    expect(await listed("--limit 1000 --all")).toContain(first);
    const again = await run(`replay ${first} --yes`);
    expect(again.code).toBe(1);
    expect(again.stdout).toMatch(new RegExp(`^${first} was not replayed\\. It was replayed at \\S+Z by \\S+\\.\n$`));
  });

  test("dropped is passed over from then on, and shown with --all", async () => {
    await sendLegacy("delete", "garbage");
    const id = await buried();
    const dropped = { dropped: [id], already: [], more: false };
    expect(await document(`drop ${id} --yes --as ann`)).toEqual(dropped);
    expect(await listed("--limit 1000")).not.toContain(id);
    const all = await document<Listed>("list --all --limit 1000");
    expect(all.letters.find((letter) => letter.id === id)).toMatchObject({ state: "dropped", stateBy: "ann" });
    expect(await document(`show ${id}`, 1)).toMatchObject({ refused: { code: "NOT_FOUND" } });
    expect(await document(`show ${id} --all`)).toMatchObject({ id, state: "dropped", replay: { possible: false } });
    expect((await run(`replay ${id} --yes`)).stdout).toMatch(/was not replayed\. It was dropped at \S+ by ann\.\n$/);
    expect(await document(`drop ${id} --yes`)).toEqual({ dropped: [], already: [id], more: false });
  });

  test("of one topic is replayed and dropped as a whole, and of no other topic", async () => {
    await sendLegacy("check_verified", "garbage");
    const kept = await buried();
    newMark();
    for (const body of ["a", "b", "c"]) await sendLegacy("admin_delete_user", body);
    await buried(mark, 3);
    const before = await listed("--topic admin_delete_*");
    expect(before).toHaveLength(3);
    const { replayed } = await document<{ replayed: string[] }>("replay --topic admin_delete_* --yes");
    expect(replayed.toSorted()).toEqual(before.toSorted());
    await buried(mark, 6);
    const { dropped } = await document<{ dropped: string[] }>("drop --topic admin_delete_user --yes");
    expect(dropped).toHaveLength(3);
    expect(await listed("--topic admin_delete_user")).toEqual([]);
    expect(await listed("--topic check_verified")).toContain(kept);
    expect((await run("drop --topic admin_delete_user --yes")).stdout).toBe("Nothing to drop.\n");
    expect((await run("replay --topic admin_delete_user --yes")).stdout).toBe("Nothing to replay.\n");
  });
});

describe("a legacy record that failed", () => {
  async function failedBan(): Promise<{ user: Confirmed; id: string }> {
    const user = await confirmed(fleet);
    const { mend } = await broken(user.login);
    await sendLegacy("admin_ban_user", { id: user.id });
    const id = await buried();
    await mend();
    expect(await bansOf(user.id)).toEqual([]); // a dead letter had no effect
    return { user, id };
  }

  test("takes effect when it is replayed after its cause is mended, and a second replay changes nothing", async () => {
    const { user, id } = await failedBan();
    expect((await run(`replay ${id} --yes`)).stdout).toBe("Replayed 1 dead letter: 1 from admin_ban_user.\n");
    await until("the ban", async () => (await bansOf(user.id)).length === 1);
    const { headers } = await document<{ headers: Record<string, { text: string }> }>(`show ${id}`);
    const origin = ["partition", "offset", "timestamp"].map((name) => headers[`auth-dlq-${name}`]!.text).join(":");
    // As if authctl had died before it noted the replay, and the operator had called again.
    await sendLegacy("admin_ban_user", { id: user.id }, { "auth-dlq-replayed-from": origin });
    // The control stands behind it in the same mailbox: a record of its own toggles.
    const place = (await fleet.kafka.endOffsets("admin_ban_user")).get(0)!;
    await sendLegacy("admin_ban_user", { id: user.id });
    await until("the control was handled", async () => handled("admin_ban_user", place));
    expect(await bansOf(user.id)).toEqual(["UserBanned", "UserUnbanned"]);
  });

  async function handled(topic: string, offset: bigint): Promise<boolean> {
    const { rowCount } = await fleet.sql.query(
      "SELECT FROM inbox WHERE topic = $1 AND encode(idempotency_key, 'escape') LIKE '%0:' || $2 || ':%'",
      [topic, String(offset)],
    );
    return rowCount === 1;
  }

  test("two dead letters of one record, as a crash before the commit leaves them, take effect once", async () => {
    const { user, id } = await failedBan();
    const original = fleet.mails.all(deadLetterTopic).find((each) => `${each.partition}/${each.offset}` === id)!;
    await fleet.kafka.produce([{ ...original, headers: original.headers as OutRecord["headers"] }]);
    const twin = await buried(mark, 2);
    expect(await document(`replay ${id} ${twin} --yes`)).toMatchObject({ refused: [], replayed: [id, twin] });
    await until("both replays were handled", async () => (await lagOf("admin_ban_user")) === 0n);
    expect(await bansOf(user.id)).toEqual(["UserBanned"]);
  });

  /** Records that the workers have not committed. */
  async function lagOf(topic: string): Promise<bigint> {
    const asked = { groupId: `${fleet.prefix}auth_service`, topics: [fleet.prefix + topic] };
    const [committed] = await admin.fetchOffsets(asked);
    const ends = await fleet.kafka.endOffsets(topic);
    const done = new Map(committed!.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return [...ends].reduce(
      (lag, [partition, end]) => lag + end - (done.get(partition)! < 0n ? 0n : done.get(partition)!),
      0n,
    );
  }
});

describe("a request", () => {
  test("without a reply topic and with an unknown schema is shown by its first bytes, and is not replayable", async () => {
    const bytes = Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), Buffer.from("swordfish")]);
    const headers = { "test-mark": mark, kafka_replyTopic: undefined };
    await raw.send({ topic: "auth.session.login", key: "ada", bytes, headers });
    const id = await buried();
    const shown = await run(`show ${id}`);
    expect(shown.stdout).toMatch(
      /value +14 bytes, beginning 0x007fffffff: there is no schema 2147483647 of auth.session.login-value\n/,
    );
    expect(shown.stdout).not.toContain("swordfish");
    expect(shown.stdout).not.toContain(Buffer.from("swordfish").toString("hex"));
    expect((await run(`replay ${id} --yes`)).stdout).toContain("A worker would not begin it: header kafka_replyTopic");
  });

  const brought = (headers: InRecord["headers"]) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("auth-dlq-")));

  test.each([
    ["with an idempotency key", () => ({ "auth-idempotency-key": randomBytes(16).toString("hex") })],
    ["with no key but its place", () => ({ kafka_correlationId: randomBytes(8).toString("hex") })],
  ])("%s takes effect once, however often it is replayed", async (_what, headers) => {
    const user = newUser();
    const { mend } = await broken(user.login);
    const request = registering(user, headers());
    expect((await raw.ask(request)).outcome).toBe("INTERNAL");
    const id = await buried();
    const shown = await run(`show ${id}`);
    expect(shown.stdout).toContain(`"login":"${user.login}"`);
    expect(shown.stdout).toMatch(/"sealed":"\(withheld: \d+ characters, not a seal\)"/);
    expect(shown.stdout).not.toContain(user.password);
    await mend();
    const correlation = await correlationOf(id);
    const same = (each: InRecord) => String(each.headers["kafka_correlationId"]) === correlation;
    await document(`replay ${id} --yes`);
    await raw.replies.count(replyTopic, 2, same);
    // As if authctl had died before it noted the replay: the same record a second time.
    const [sent] = await replaysOf("auth.account.register", id);
    await fleet.kafka.produce([sent!]);
    const replies = await raw.replies.count(replyTopic, 3, same);
    const outcomes = replies.map((each) => raw.read("auth.account.register", each));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["INTERNAL", "ok", "ok"]);
    expect(outcomes[2]!.body).toEqual(outcomes[1]!.body);
    expect(await usersOf(user)).toBe(1);
    // The control: another record is another request.
    const other = { kafka_correlationId: randomBytes(16) };
    expect((await raw.ask(registering(user, other))).outcome).toBe("LOGIN_TAKEN");
  });

  async function correlationOf(id: string): Promise<string> {
    const found = fleet.mails.all(deadLetterTopic).find((each) => `${each.partition}/${each.offset}` === id);
    return String(found!.headers["kafka_correlationId"]);
  }

  /** What a replay of this letter sends, made by hand. */
  async function replaysOf(topic: string, id: string): Promise<OutRecord[]> {
    const found = fleet.mails.all(deadLetterTopic).find((each) => `${each.partition}/${each.offset}` === id)!;
    const [partition, offset, time] = ["partition", "offset", "timestamp"].map(
      (name) => found.headers[`auth-dlq-${name}`],
    );
    const headers = {
      ...(brought(found.headers) as OutRecord["headers"]),
      "auth-dlq-replayed-from": `${partition}:${offset}:${time}`,
    };
    return [{ topic, key: found.key, value: found.value, headers }];
  }

  test("that is sealed is replayed while its seal holds, and whoever asks again with its key gets that one answer", async () => {
    const user = newUser();
    const { mend } = await broken(user.login);
    const idempotencyKey = randomBytes(16).toString("hex");
    const ask = () => fleet.client.request("auth.account.register", { ...user }, { idempotencyKey });
    const ofMine = (each: InRecord) => String(each.headers["auth-idempotency-key"]) === idempotencyKey;
    expect(await refusalOf(ask())).toBe("INTERNAL");
    const { partition, offset } = await fleet.mails.last(deadLetterTopic, ofMine);
    await mend();
    const shown = await document<{ value: { fields: { sealed: string } } }>(`show ${partition}/${offset}`);
    expect(shown.value.fields.sealed).toMatch(/^\(sealed: \d+ characters, for the key \S+, until \S+Z\)$/);
    expect(JSON.stringify(shown)).not.toMatch(/eyJ[\w-]{20,}\./);
    expect((await run(`replay ${partition}/${offset} --yes`)).code).toBe(0);
    await until("the effect", async () => (await usersOf(user)) === 1);
    const { userId } = await ask();
    const { rows } = await fleet.sql.query("SELECT id::int FROM users WHERE login_key = $1", [user.login]);
    expect(rows).toEqual([{ id: userId }]);
  });
});

describe("why a dead letter cannot be replayed", () => {
  test.each(notReplayable)("%s", async (_what, made, sentence) => {
    const id = await letterOf(await made());
    const { replayed, refused } = await document<{ replayed: string[]; refused: { id: string; why: string }[] }>(
      `replay ${id} --yes`,
      1,
    );
    expect({ replayed, refused }).toEqual({ replayed: [], refused: [{ id, why: expect.stringMatching(sentence) }] });
    expect(await document(`show ${id}`)).toMatchObject({ replay: { possible: false, why: refused[0]!.why } });
    expect(await listed("--limit 1000")).toContain(id);
  });

  test("a seal is found at every length of its value", async () => {
    for (const length of [1, 30, 500, 2900, 3000, 5000]) {
      const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const key = { ...publicKey.export({ format: "jwk" }), kid: "k" };
      const made = { fields: { password: "x".repeat(length) }, topic: login, key, expiresAt: 5000 };
      const bound = { replyTopic: "auth.reply.gateway", replyKeyThumbprint: undefined, idempotencyKey: undefined };
      const seal = await sealRequest({ ...made, ...bound });
      const value = await raw.encode(login, { login: "ada.eyJ", rotating: true, client: null, sealed: seal });
      expect(sealIn(value)).toMatchObject({ exp: 5, top: login });
    }
    expect(sealIn(Buffer.from("eyJ.".repeat(100_000)))).toBeUndefined(); // and in linear time
  });

  test("a dead letter whose seal has not expired is replayed (the control)", async () => {
    const id = await letterOf({ topic: login, value: await sealed(60_000) });
    expect(await document(`show ${id}`)).toMatchObject({ replay: { possible: true } });
    expect(await document(`replay ${id} --yes`)).toMatchObject({ replayed: [id] });
  });

  test("an event goes to its topic again", async () => {
    const id = await letterOf({ topic: "auth.event", value: Buffer.from("an event") });
    expect(await document(`replay ${id} --yes`)).toMatchObject({ replayed: [id] });
    const seen = await fleet.mails.last("auth.event", (each) => String(each.headers["test-mark"]) === mark);
    expect(String(seen.value)).toBe("an event");
    expect(Object.keys(seen.headers).filter((name) => name.startsWith("auth-dlq-"))).toEqual([
      "auth-dlq-replayed-from",
    ]);
  });
});

describe("list", () => {
  test("says that more exist", async () => {
    for (const body of ["a", "b", "c"]) await sendLegacy("check_verified", body);
    await buried(mark, 3);
    const { letters, more } = await document<Listed>("list --topic check_verified --limit 2");
    expect([letters.length, more]).toEqual([2, true]);
    expect(letters[0]!.at >= letters[1]!.at).toBe(true);
    expect((await run("list --topic check_verified --limit 2")).stdout).toMatch(
      /\nMore exist, from before \S+Z: raise --limit/,
    );
    expect((await run("list --topic nobody.*")).stdout).toBe("No dead letters.\n");
  });
});

test("more dead letters than one call takes need several calls", async () => {
  await fleet.kafka.produce(Array.from({ length: 1003 }, (_, offset) => strangeLetter(offset)));
  const first = await run("replay --topic nobody --yes");
  expect(first.code).toBe(1);
  expect(first.stdout).toMatch(/\nMore of them exist .*: drop what cannot be replayed, then call again\.\n$/);
  expect((await run("drop --topic nobody --yes")).stdout).toMatch(
    /^Dropped 1000 .*\nMore of them exist .*: call again\.\n$/,
  );
  expect(await document("drop --topic nobody --yes")).toMatchObject({ more: false, dropped: { length: 3 } });
  expect(await listed("--topic nobody")).toEqual([]);
});

describe("before replay and drop", () => {
  const asked = (answer: string, args: string[]) => answering(args, fleet.env, answer);

  test.each(["replay", "drop"])("%s asks for confirmation, and only y confirms", async (action) => {
    await sendLegacy("delete", "garbage");
    const id = await buried();
    for (const answer of ["", "n", "no", "yess"]) {
      const { code, questions, stdout } = await asked(answer, ["dlq", action, id]);
      expect([code, questions.length, stdout]).toEqual([
        1,
        1,
        expect.stringMatching(/^Nothing was (replayed|dropped)\.\n$/),
      ]);
      expect(questions[0]).toMatch(/^(Replay|Drop) 1 dead letter: 1 from delete\? \[y\/N\] $/);
    }
    expect(await document(`show ${id}`)).toMatchObject({ state: "open" });
    expect((await asked("y", ["dlq", action, id])).code).toBe(0);
    expect(await document(`show ${id} --all`)).toMatchObject({ state: action === "drop" ? "dropped" : "replayed" });
  });

  test.each([
    ["replay 0/1", "Nobody can be asked, because standard input is no terminal: say --yes."],
    ["drop --topic x --json", "With --json nobody is asked: say --yes."],
    ["drop --yes", "Name the dead letters by their ids, or say --topic."],
    ["replay 0/1 --topic x --yes", "Either name ids or say --topic, not both."],
    ["replay 0-1 --yes", "A dead letter's id is partition/offset, such as 3/17"],
    ["show 17", "A dead letter's id is partition/offset, such as 3/17"],
    ["show 1/2/3", "A dead letter's id is partition/offset, such as 3/17"],
    ["show", "ID is missing."],
    ["show 0/1 0/2", "What is 0/2 for?"],
    ["list --topic a/b", "--topic takes a topic, * standing for anything"],
    ["list --since yesterday", "--since takes a duration, such as 30m, 12h or 7d, not yesterday."],
    ["list --limit 0", "--limit takes a number from 1 to 1000, not 0."],
    ["list --limit many", "--limit takes a number from 1 to 1000, not many."],
    ["drop 0/1 --yes --as a/b", "--as takes 1 to 64 letters"],
  ])("wrong arguments are told, exit code 2: %s", async (line, sentence) => {
    const { code, stdout, stderr } = await run(line);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toContain(sentence);
  });

  test.each(["show 99/0", "show 0/999999", "replay 0/999999 --yes", "drop 99/0 --yes"])(
    "a dead letter that is not there is told, exit code 1: %s",
    async (line) => {
      const { code, stdout, stderr } = await run(line);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^Refused with NOT_FOUND: There is no dead letter \d+\/\d+: .*\.\n/);
    },
  );

  test("Kafka that does not answer, or has no such topic, is reported with exit code 3", async () => {
    const away = await called(["dlq", "list"], { ...fleet.env, AUTH_KAFKA_BROKERS: "127.0.0.1:9" });
    expect([away.code, away.stderr]).toEqual([3, expect.stringMatching(/^Kafka \(127\.0\.0\.1:9\) does not answer/)]);
    const empty = await called(["dlq", "list"], { ...fleet.env, AUTH_TOPIC_PREFIX: "nobody." });
    expect([empty.code, empty.stderr]).toEqual([
      3,
      expect.stringMatching(/no topic auth\.dead-letter: run authfleet migrate/),
    ]);
  });

  test("list and show work without the registry", async () => {
    await sendLegacy("delete", "garbage");
    const env = { ...fleet.env, AUTH_REGISTRY_URL: "http://127.0.0.1:9" };
    expect((await called(["dlq", "show", await buried()], env)).code).toBe(0);
    expect((await called(["dlq", "list"], env)).code).toBe(0);
  });
});
