// The stored answer of a request: its key in the inbox, its encryption, and how it is returned again.
import type { Call } from "../bus/command.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import type { InboxKey, InboxRow } from "../db/inbox.ts";
import { Refusal, type RefusalCode } from "../protocol/errors.ts";

/** The request was answered before. */
export class AlreadyAnswered extends Error {
  override readonly name = "AlreadyAnswered";
  readonly row: InboxRow;

  constructor(row: InboxRow) {
    super("answered before");
    this.row = row;
  }
}

/** What the inbox stores, encrypted: the result including its secrets, or the refusal. */
export type StoredAnswer =
  | { ok: object }
  | {
      refusal: {
        code: RefusalCode;
        message: string;
        retryAfterMs?: number | undefined;
        details: Record<string, string>;
      };
    };

export function inboxKey({ topic, headers }: Call): InboxKey {
  return { topic, replyTopic: headers.reply.topic, idempotencyKey: headers.idempotencyKey };
}

export function encryptAnswer(keys: DataKeys, key: InboxKey, answer: StoredAnswer): Buffer {
  return keys.cipher("inbox").encrypt(Buffer.from(JSON.stringify(answer)), additionalData(key));
}

/** @returns the stored result. @throws Refusal if the stored answer is one */
export function repeatAnswer(keys: DataKeys, key: InboxKey, { reply }: InboxRow): object {
  const opened = keys.cipher("inbox").decrypt(reply, additionalData(key));
  const answer = JSON.parse(opened.toString("utf8")) as StoredAnswer;
  if ("ok" in answer) return answer.ok;
  const { code, message, retryAfterMs, details } = answer.refusal;
  throw new Refusal(code, { message, details, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

/** Additional data of the encryption: an answer can be decrypted for its own request only. */
function additionalData({ topic, replyTopic, idempotencyKey }: InboxKey): Buffer {
  return Buffer.concat([Buffer.from(`${topic}\n${replyTopic}\n`), idempotencyKey]);
}
