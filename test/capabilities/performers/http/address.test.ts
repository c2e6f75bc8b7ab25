import { describe, expect, it } from "vitest";
import { classesOf, isSameAddress } from "../../../../src/capabilities/performers/http/address.js";
import { networkClasses } from "../../../../src/contracts/http.js";

/** First, last and neighbours of every range: address, and what is expected. */
const rows: readonly (readonly [address: string, classes: string])[] = [
  ["0.0.0.0", "reserved"],
  ["0.255.255.255", "reserved"],
  ["1.0.0.0", ""],
  ["9.255.255.255", ""],
  ["10.0.0.0", "private"],
  ["10.255.255.255", "private"],
  ["11.0.0.0", ""],
  ["100.63.255.255", ""],
  ["100.64.0.0", "shared"],
  ["100.127.255.255", "shared"],
  ["100.128.0.0", ""],
  ["100.100.100.200", "metadata"],
  ["100.100.100.201", "shared"],
  ["126.255.255.255", ""],
  ["127.0.0.1", "loopback"],
  ["127.255.255.255", "loopback"],
  ["128.0.0.0", ""],
  ["168.63.129.16", "metadata"],
  ["168.63.129.17", ""],
  ["169.253.255.255", ""],
  ["169.254.0.0", "link_local"],
  ["169.254.169.253", "link_local"],
  ["169.254.169.254", "metadata"],
  ["169.254.170.2", "metadata"],
  ["169.254.170.23", "metadata"],
  ["169.254.255.255", "link_local"],
  ["169.255.0.0", ""],
  ["172.15.255.255", ""],
  ["172.16.0.0", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.0", ""],
  ["192.0.0.0", "reserved"],
  ["192.0.0.192", "metadata"],
  ["192.0.0.255", "reserved"],
  ["192.0.1.0", ""],
  ["192.0.2.255", "reserved"],
  ["192.31.196.1", "reserved"],
  ["192.52.193.1", "reserved"],
  ["192.88.99.1", "reserved"],
  ["192.167.255.255", ""],
  ["192.168.0.0", "private"],
  ["192.168.255.255", "private"],
  ["192.169.0.0", ""],
  ["192.175.48.1", "reserved"],
  ["198.17.255.255", ""],
  ["198.18.0.0", "reserved"],
  ["198.19.255.255", "reserved"],
  ["198.20.0.0", ""],
  ["198.51.100.7", "reserved"],
  ["203.0.113.7", "reserved"],
  ["223.255.255.255", ""],
  ["224.0.0.0", "multicast"],
  ["239.255.255.255", "multicast"],
  ["240.0.0.0", "reserved"],
  ["255.255.255.255", "reserved"],
  ["::", "reserved"],
  ["::1", "loopback"],
  ["::2", "embedded reserved"],
  ["::8.8.8.8", "embedded"],
  ["::ffff:8.8.8.8", "embedded"],
  ["::ffff:127.0.0.1", "embedded loopback"],
  ["::ffff:a9fe:a9fe", "embedded metadata"],
  ["::ffff:0:10.0.0.1", "embedded private"],
  ["64:ff9b::8.8.8.8", "embedded"],
  ["64:ff9b::192.168.1.1", "embedded private"],
  ["64:ff9b:0:0:0:1::", "reserved"],
  ["64:ff9b:1::1", "reserved"],
  ["100::", "reserved"],
  ["100:0:0:1::1", "reserved"],
  ["2001::", "embedded reserved"],
  ["2001:0:808:808::f7f7:f7f7", "embedded"],
  ["2001:0:808:808::80ff:fffe", "embedded loopback"],
  ["2001:0:7f00:1::f7f7:f7f7", "embedded loopback"],
  ["2001:1::1", "reserved"],
  ["2001:2::", "reserved"],
  ["2001:20::1", "reserved"],
  ["2001:1ff:ffff::", "reserved"],
  ["2001:200::", ""],
  ["2001:db7:ffff::", ""],
  ["2001:db8::1", "reserved"],
  ["2001:db9::", ""],
  ["2002:7f00:1::", "embedded loopback"],
  ["2002:808:808::1", "embedded"],
  ["2003::", ""],
  ["2606:4700:4700::1111", ""],
  ["2620:4f:8000::1", "reserved"],
  ["2620:4f:8001::1", ""],
  ["3ffe:ffff::", ""],
  ["3fff:0fff::", "reserved"],
  ["3fff:1000::", ""],
  ["4000::", "reserved"],
  ["5f00::1", "reserved"],
  ["1fff:ffff::", "reserved"],
  ["2000::", ""],
  ["fbff::", "reserved"],
  ["fc00::", "private"],
  ["fd00:ec2::254", "metadata"],
  ["fd00:ec2::23", "metadata"],
  ["fd00:ec2::253", "private"],
  ["fd20:ce::254", "metadata"],
  ["fdff:ffff::", "private"],
  ["fe00::", "reserved"],
  ["fe80::1", "link_local"],
  ["febf:ffff::", "link_local"],
  ["fec0::1", "private"],
  ["feff:ffff::", "private"],
  ["ff02::1", "multicast"],
  ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"],
];

describe("the class of an address", () => {
  it.each(rows)("%s is %j", (address, classes) => {
    expect(classesOf(address)?.join(" ")).toBe(classes);
  });

  it("covers every class that a grant can name", () => {
    const named = new Set(rows.flatMap(([, classes]) => classes.split(" ")).filter((name) => name !== ""));
    expect([...named].sort()).toEqual([...networkClasses]);
  });

  it.each(["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "::1%lo", "[::1]", "1.2.3.4:80"])(
    "of %j is none, which nothing permits",
    (text) => {
      expect(classesOf(text)).toBe(null);
    },
  );
});

describe("two texts of one address", () => {
  it("are the same however they are written", () => {
    expect(isSameAddress("::1", "0:0:0:0:0:0:0:1")).toBe(true);
    expect(isSameAddress("::ffff:1.2.3.4", "::FFFF:102:304")).toBe(true);
    expect(isSameAddress("1.2.3.4", "1.2.3.4")).toBe(true);
  });

  it("are not where one is another, of another family, or no address", () => {
    expect(isSameAddress("1.2.3.4", "1.2.3.5")).toBe(false);
    expect(isSameAddress("1.2.3.4", "::ffff:1.2.3.4")).toBe(false);
    expect(isSameAddress("", "")).toBe(false);
    expect(isSameAddress("localhost", "localhost")).toBe(false);
  });
});
