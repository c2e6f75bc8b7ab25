import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../src/contracts/ip-address.js";

describe("parseIp", () => {
  it.each([
    ["1.2.3.4", [1, 2, 3, 4]],
    ["0.0.0.0", [0, 0, 0, 0]],
    ["255.255.255.255", [255, 255, 255, 255]],
    ["::", new Array(16).fill(0)],
    ["::1", [...new Array(15).fill(0), 1]],
    ["1::", [0, 1, ...new Array(14).fill(0)]],
    ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ["1:2:3::5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 0, 0, 5, 0, 6, 0, 7, 0, 8]],
    ["::ffff:1.2.3.4", [...new Array(10).fill(0), 255, 255, 1, 2, 3, 4]],
    ["1:2:3:4:5:6:1.2.3.4", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4]],
    ["FE80::aBcD", [0xfe, 0x80, ...new Array(12).fill(0), 0xab, 0xcd]],
  ])("reads %s", (text, bytes) => {
    expect(parseIp(text)).toEqual(bytes);
  });

  it.each([
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.-4",
    "1.2.3.4 ",
    "0x1.2.3.4",
    "1.2.3.",
    "2130706433",
    "１.2.3.4",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "1:2:3:4::5:6:7:8",
    "::1.2.3.4.5",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "12345::",
    "g::",
    ":1::",
    "1:::2",
    "fe80::1%eth0",
    "[::1]",
    "::1/128",
    `${"0".repeat(50)}::1`,
  ])("does not read %j", (text) => {
    expect(parseIp(text)).toBe(null);
  });

  it("reads what the platform takes for an address, and nothing else", () => {
    const group = fc.oneof(
      fc.constantFrom("0", "1", "ffff", "01", "", "10000", "g", "1.2.3.4", "255.0.0.256"),
      fc.stringMatching(/^[0-9a-f]{1,4}$/),
    );
    const six = fc.array(group, { minLength: 1, maxLength: 9 }).map((groups) => groups.join(":"));
    const four = fc.array(fc.constantFrom("0", "7", "00", "255", "256", "", "1e1"), { minLength: 3, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.oneof(
          six,
          four.map((parts) => parts.join(".")),
          fc.ipV4(),
          fc.ipV6(),
        ),
        (text) => {
          expect([text, parseIp(text)?.length]).toEqual([text, isIPv4(text) ? 4 : isIPv6(text) ? 16 : undefined]);
        },
      ),
      { numRuns: 500 },
    );
  });
});
