// The network that an address is counted by.
import { expect, test } from "@jest/globals";
import { networkOf } from "../../src/handlers/networks.ts";

test.each([
  ["192.0.2.77", "192.0.2.0/24"],
  ["::ffff:192.0.2.77", "192.0.2.0/24"],
  ["::FFFF:c000:24d", "192.0.2.0/24"],
  ["2001:db8:1:ab12:9::1", "2001:db8:1:ab00::/56"],
  ["2001:DB8:1:abff::", "2001:db8:1:ab00::/56"],
  ["2001:db8:1:ac00::1", "2001:db8:1:ac00::/56"],
  ["2001:db8::1", "2001:db8:0:0::/56"],
  ["fe80::1%eth0", "fe80:0:0:0::/56"],
  ["::1", "0:0:0:0::/56"],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/56"],
])("%s is of %s", (ip, network) => {
  expect(networkOf(ip)).toBe(network);
});

test.each([[null], [undefined], [""], ["localhost"], ["1.2.3"], ["1.2.3.4:80"], [":::"]])("%s is of none", (text) => {
  expect(networkOf(text)).toBeUndefined();
});
