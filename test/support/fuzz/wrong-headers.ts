// What may be wrong in the headers of a request, and what has to become of it then.
import { type Draft, type FuzzRecord, type Header, invalid } from "./draft.ts";
import type { Material } from "./material.ts";
import type { Random } from "./random.ts";
import { oddText } from "./values.ts";

type HeaderChange = Pick<FuzzRecord, "headers" | "what" | "expects"> & Partial<Pick<FuzzRecord, "replyId" | "codes">>;

const requestHeaders = [
  "auth-timeout",
  "auth-deadline",
  "auth-idempotency-key",
  "auth-reply-key",
  "auth-device",
  "traceparent",
  "tracestate",
  "kafka_correlationId",
];
const oddNumbers = ["-1", "1e9", "99999999999999999999", "\u0663", " 1", "0x10", "1.5", "", "NaN"];

export function headerChange(random: Random, material: Material, draft: Draft): HeaderChange {
  const { headers } = draft;
  const trace = headers
    .find(([name]) => name === "traceparent")![1]!
    .toString()
    .slice(3, 35);
  const without = (name: string): Header[] => headers.filter(([each]) => each !== name);
  const text = (value: string): Buffer => Buffer.from(value);
  const topic = text(material.replyTopic);
  const change = (what: string, changed: Header[], more: Partial<HeaderChange> = {}): HeaderChange => ({
    headers: changed,
    what,
    expects: "reply",
    ...more,
  });
  const other = without("kafka_replyTopic");
  const name = random.pick(requestHeaders);
  const isId = name === "kafka_correlationId";
  const odd = random.pick<Buffer | null>([
    oddText(random),
    random.bytes(random.pick([1, 16, 300])),
    text(random.pick(oddNumbers)),
    Buffer.alloc(40_000, "h"),
    null,
  ]);
  switch (random.below(12)) {
    case 0:
      return change("no reply topic", other, { expects: "letter" });
    case 1:
      return change(
        "a reply topic that is not allowed",
        [...other, ["kafka_replyTopic", text(random.pick(["auth.event", "", "auth.reply.\u0000", "AUTH.REPLY.X"]))]],
        { expects: "letter" },
      );
    case 2:
      return change("two reply topics", [...headers, ["kafka_replyTopic", text("auth.reply.test")]], {
        expects: "letter",
      });
    case 3:
      return change("the reply topic twice", [...headers, ["kafka_replyTopic", topic]]);
    case 4:
      return change("a reply topic that is not there", [...other, ["kafka_replyTopic", text("auth.reply.nobody")]], {
        expects: "nothing",
      });
    case 5:
      return change(
        "a reply partition that is not there",
        [...without("kafka_replyPartition"), ["kafka_replyPartition", text("99")]],
        { expects: "nothing" },
      );
    case 6: {
      const bad = random.pick([
        text("x1"),
        Buffer.of(0),
        Buffer.from([255, 255, 255, 255]),
        Buffer.alloc(0),
        text("-1"),
      ]);
      return change(
        "a reply partition that is none",
        [...without("kafka_replyPartition"), ["kafka_replyPartition", bad]],
        { codes: invalid },
      );
    }
    case 7:
      return change(
        "300 headers",
        [...headers, ...Array.from({ length: 300 }, (_, at): Header => [`x-${at}`, Buffer.of(at & 0xff)])],
        { codes: invalid },
      );
    case 8:
      return change("no correlation id", without("kafka_correlationId"), { replyId: trace });
    case 9: {
      const given = [...without(name), [name, text("a")] as Header, [name, text("b")] as Header];
      if (name.startsWith("trace")) return change(`${name} twice`, given);
      return change(`${name} twice`, given, isId ? { replyId: trace, codes: invalid } : { codes: invalid });
    }
    case 10: {
      const named: Header[] = [
        ["__proto__", Buffer.of(1)],
        ["constructor", Buffer.of(2)],
        ["", Buffer.alloc(0)],
        ["toString", null],
        ["auth-dlq-topic", text("x")],
      ];
      return change("names of every object", [...headers, ...named]);
    }
    default: {
      // An id that says nothing cannot be told from others: those are looked for by their trace.
      if (isId)
        return change(
          "an odd correlation id",
          [...without(name), [name, odd]],
          odd === null || odd.length < 8 ? { headers: without(name), replyId: trace } : idOf(odd, draft),
        );
      return change(`an odd ${name}`, [...without(name), [name, odd]]);
    }
  }
}

/** An odd id, made one of its own by the trace behind it. */
function idOf(odd: Buffer, { headers }: Draft): Partial<HeaderChange> {
  const own = Buffer.concat([odd, headers.find(([name]) => name === "traceparent")![1]!]);
  return {
    headers: [...headers.filter(([name]) => name !== "kafka_correlationId"), ["kafka_correlationId", own]],
    replyId: own.toString("hex"),
  };
}
