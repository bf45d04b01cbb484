// The partition of a key, chosen as Kafka's own clients do, so that all senders agree. Linear in the key's length:
// kafkajs's own takes a minute for a key of 700 KB, 6 ms for one of 10 KB.

const { imul } = Math;

/** murmur2 with seed 0x9747b28c, without its sign. */
export function partitionOf(key: Buffer, count: number): number {
  const factor = 0x5bd1e995;
  let hash = 0x9747b28c ^ key.length;
  const whole = key.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word = imul(key.readInt32LE(at), factor);
    word = imul(word ^ (word >>> 24), factor);
    hash = imul(hash, factor) ^ word;
  }
  if (whole < key.length) hash = imul(hash ^ key.readUIntLE(whole, key.length - whole), factor);
  hash = imul(hash ^ (hash >>> 13), factor);
  return ((hash ^ (hash >>> 15)) & 0x7fffffff) % count;
}
