// An address as requesters and their proxies write it, in the one form in which it counts.
import { expect, test } from "@jest/globals";
import { readIp } from "../../src/protocol/client-address.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["1.2.3.4:5678", "1.2.3.4"],
  ["[1.2.3.4]:80", "1.2.3.4"],
  [" 203.0.113.7 ", "203.0.113.7"],
  ["2001:db8::7", "2001:db8::7"],
  ["2001:0DB8:0:0:0:0:0:7", "2001:db8::7"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["[fe80::1%25eth0]:443", "fe80::1"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["::FFFF:c000:24d", "192.0.2.77"],
  ["[::ffff:1.2.3.4]:5678", "1.2.3.4"],
  ["::", "::"],
  ["::1", "::1"],
  ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
])("%s is %s, and that is itself", (text, address) => {
  expect(readIp(text)).toBe(address);
  expect(readIp(address)).toBe(address);
});

test.each([
  "",
  " ",
  "unknown",
  "localhost",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "01.2.3.4",
  "0x7f.1",
  "1.2.3.4:",
  "1.2.3.4:port",
  "1.2.3.4:65536",
  "1.2.3.4/24",
  "1.2.3.4, 5.6.7.8",
  "1.2.3.4%eth0",
  "[2001:db8::1",
  "2001:db8::1]",
  "[2001:db8::1]443",
  "[2001:db8::1]:99999",
  "2001:db8::7:5678:9:9:9:9:9",
  "fe80::1%",
  ":::",
  "[",
  "[]",
  `${"1".repeat(200)}.2.3.4`,
])("%j is no address", (text) => {
  expect(readIp(text)).toBeUndefined();
});
