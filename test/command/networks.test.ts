// The networks that an address is counted by.
import { expect, test } from "@jest/globals";
import { clientNetworks } from "../../src/command/networks.ts";

test.each([
  ["192.0.2.77", "192.0.2.77/32", undefined],
  ["192.0.2.77:5678", "192.0.2.77/32", undefined],
  ["::ffff:192.0.2.77", "192.0.2.77/32", undefined],
  ["2001:db8:1:ab12:9::1", "2001:db8:1:ab00::/56", "2001:db8:1::/48"],
  ["2001:DB8:1:abff::", "2001:db8:1:ab00::/56", "2001:db8:1::/48"],
  ["[2001:db8:1:ac00::1]:443", "2001:db8:1:ac00::/56", "2001:db8:1::/48"],
  ["2001:db8::1", "2001:db8:0:0::/56", "2001:db8:0::/48"],
  ["fe80::1%eth0", "fe80:0:0:0::/56", "fe80:0:0::/48"],
  ["::1", "0:0:0:0::/56", "0:0:0::/48"],
])("of %s are %s and %s", (ip, narrow, wide) => {
  expect(clientNetworks(ip)).toEqual({ narrow, wide });
});

test.each([[null], [undefined], [""], ["localhost"], ["1.2.3"], [":::"]])("of %s are none", (text) => {
  expect(clientNetworks(text)).toBeUndefined();
});
