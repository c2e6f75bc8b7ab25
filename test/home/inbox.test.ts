import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  awaitResult,
  finishOrder,
  hasOrders,
  postOrder,
  sweepInbox,
  takeOrders,
  withdrawOrder,
} from "../../src/home/inbox.js";
import { watchInbox } from "../../src/home/inbox-watch.js";
import { type HomePaths, homePaths } from "../../src/home/paths.js";
import { faultOf, freshFolder } from "./support.js";

const bytes = Uint8Array.of(1, 2, 3);
const clock = { now: () => Date.now() };

let paths: HomePaths;

beforeEach(() => {
  paths = homePaths(join(freshFolder(), "h"));
  mkdirSync(paths.inbox, { recursive: true });
});

const age = (file: string, seconds: number): void => {
  const at = Date.now() / 1000 - seconds;
  utimesSync(file, at, at);
};

describe("inbox", () => {
  it("carries orders in the order of their names until they are finished", async () => {
    expect(hasOrders(paths)).toBe(false);
    await postOrder(paths, Uint8Array.of(2), "b");
    await postOrder(paths, Uint8Array.of(1), "a");
    expect(readdirSync(paths.inbox).sort()).toEqual(["a.order.json", "b.order.json"]);
    expect(hasOrders(paths)).toBe(true);
    const both = [
      { name: "a", bytes: Uint8Array.of(1) },
      { name: "b", bytes: Uint8Array.of(2) },
    ];
    expect(await takeOrders(paths)).toEqual(both);
    expect(await takeOrders(paths)).toEqual(both);
    await finishOrder(paths, "a", { ok: true, result: { done: [1] } });
    await finishOrder(paths, "b", { ok: false, code: "EXO_ORDER", message: "no" });
    expect(hasOrders(paths)).toBe(false);
    expect(await awaitResult(paths, "a")).toEqual({ ok: true, result: { done: [1] } });
    expect(await awaitResult(paths, "b")).toEqual({ ok: false, code: "EXO_ORDER", message: "no" });
  });

  it("waits for the owner's answer", async () => {
    await postOrder(paths, bytes, "a");
    const waiting = awaitResult(paths, "a", { pollMs: 5 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await finishOrder(paths, "a", { ok: true });
    expect(await waiting).toEqual({ ok: true });
  });

  it("gives no earlier order's answer", async () => {
    await postOrder(paths, bytes, "a");
    await finishOrder(paths, "a", { ok: true, result: 1 });
    await postOrder(paths, bytes, "a");
    const fault = await awaitResult(paths, "a", { pollMs: 5, signal: AbortSignal.timeout(40) }).catch(String);
    expect(fault).toMatch(/TimeoutError/);
  });

  it("ends the wait with the signal's own reason", async () => {
    const abort = new AbortController();
    const waiting = awaitResult(paths, "a", { signal: abort.signal });
    abort.abort("enough");
    await expect(waiting).rejects.toBe("enough");
    await expect(awaitResult(paths, "a", { signal: abort.signal })).rejects.toBe("enough");
  });

  it.each(["", "../x", "a/b", "a.b", "a b", "ä", "x".repeat(101), "a\n"])("refuses the id %j", async (id) => {
    expect((await faultOf(() => postOrder(paths, bytes, id))).code).toBe("EXO_ORDER");
    expect((await faultOf(() => finishOrder(paths, id, { ok: true }))).code).toBe("EXO_ORDER");
    expect((await faultOf(() => awaitResult(paths, id))).code).toBe("EXO_ORDER");
    expect(readdirSync(paths.inbox)).toEqual([]);
  });

  it("posts nothing above 1 MiB", async () => {
    const fault = await faultOf(() => postOrder(paths, new Uint8Array(1_048_577), "a"));
    expect([fault.code, fault.message]).toEqual([
      "EXO_ORDER",
      "An order has at most 1048576 bytes, this one has 1048577.",
    ]);
    await postOrder(paths, new Uint8Array(1_048_576), "a");
    expect((await takeOrders(paths))[0]?.bytes.length).toBe(1_048_576);
  });

  it("moves aside what is too large, answers it, and takes the others", async () => {
    writeFileSync(join(paths.inbox, "a.order.json"), new Uint8Array(1_048_577));
    await postOrder(paths, bytes, "b");
    expect((await takeOrders(paths)).map(({ name }) => name)).toEqual(["b"]);
    expect(readdirSync(paths.refused)).toEqual(["a.order.json"]);
    const file = join(paths.inbox, "a.order.json");
    expect(await awaitResult(paths, "a")).toEqual({
      ok: false,
      code: "EXO_ORDER",
      message: `${file} has 1048577 bytes, at most 1048576 are read`,
    });
    expect(existsSync(file)).toBe(false);
  });

  it("passes over half-written files and strangers", async () => {
    for (const name of [".a.order.json.1-1.tmp", "a.order.json~", "b.result.json", "c.json", "d d.order.json"]) {
      writeFileSync(join(paths.inbox, name), "x");
    }
    expect(hasOrders(paths)).toBe(false);
    expect(await takeOrders(paths)).toEqual([]);
  });

  it("takes at most 1,000 at once", async () => {
    for (let i = 0; i < 1_005; i++) writeFileSync(join(paths.inbox, `${String(i).padStart(4, "0")}.order.json`), "x");
    const orders = await takeOrders(paths);
    expect([orders.length, orders[999]?.name]).toEqual([1_000, "0999"]);
  });

  it("finishes an order that is gone already", async () => {
    await finishOrder(paths, "a", { ok: true });
    expect(await awaitResult(paths, "a")).toEqual({ ok: true });
  });

  it("takes an order back", async () => {
    await postOrder(paths, bytes, "a");
    await withdrawOrder(paths, "a");
    await withdrawOrder(paths, "a");
    expect(hasOrders(paths)).toBe(false);
  });

  it.each(['{"ok":true}', '{"schema":"exoarmur.order-result/v1","ok":false}', "{", "[]"])(
    "refuses the result %s",
    async (text) => {
      writeFileSync(join(paths.inbox, "a.result.json"), text);
      expect((await faultOf(() => awaitResult(paths, "a"))).code).toMatch(/^EXO_(SCHEMA|JSON_SYNTAX)$/);
    },
  );

  it("does not call a missing inbox empty", async () => {
    rmSync(paths.inbox, { recursive: true });
    expect((await faultOf(() => hasOrders(paths))).code).toBe("EXO_HOME_DAMAGED");
    expect((await faultOf(() => takeOrders(paths))).code).toBe("EXO_HOME_DAMAGED");
    expect((await faultOf(() => postOrder(paths, bytes, "a"))).code).toBe("EXO_FILE");
  });

  it("does not follow a link", async () => {
    const secret = join(freshFolder(), "secret");
    writeFileSync(secret, "s3cret");
    symlinkSync(secret, join(paths.inbox, "a.order.json"));
    expect(await takeOrders(paths)).toEqual([]);
    expect(JSON.stringify(await awaitResult(paths, "a"))).not.toContain("s3cret");
    expect(readFileSync(secret, "utf8")).toBe("s3cret");
  });
});

describe("sweepInbox", () => {
  it("removes old results and half-written files, and keeps orders and what is new", async () => {
    const old = ["a.result.json", ".b.order.json.1-1.tmp", "c.order.json"];
    const young = ["d.result.json", ".e.order.json.1-2.tmp"];
    for (const name of [...old, ...young]) writeFileSync(join(paths.inbox, name), "x");
    for (const name of old) age(join(paths.inbox, name), 3_601);
    for (const name of young) age(join(paths.inbox, name), 3_590);
    const left = join(paths.home, ".anchor.1-1.tmp");
    writeFileSync(left, "x");
    age(left, 4_000);
    await sweepInbox(paths, clock);
    expect(readdirSync(paths.inbox).sort()).toEqual([...young, "c.order.json"].sort());
    expect(existsSync(left)).toBe(false);
  });
});

describe("watchInbox", () => {
  const until = async (check: () => boolean): Promise<void> => {
    for (let i = 0; i < 400 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(check()).toBe(true);
  };

  it("tells of an order soon, and of none after close", async () => {
    let calls = 0;
    const watcher = watchInbox(paths, () => {
      calls++;
    });
    await postOrder(paths, bytes, "a");
    await until(() => calls > 0);
    watcher.close();
    const before = calls;
    await postOrder(paths, bytes, "b");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(calls).toBe(before);
  });

  it("tells of an order that was there before", async () => {
    await postOrder(paths, bytes, "a");
    let calls = 0;
    const watcher = watchInbox(paths, () => {
      calls++;
    });
    await until(() => calls > 0);
    watcher.close();
  });

  it("polls where the folder comes later", async () => {
    rmSync(paths.inbox, { recursive: true });
    let seen = false;
    const watcher = watchInbox(paths, () => {
      seen = existsSync(join(paths.inbox, "a.order.json"));
    });
    mkdirSync(paths.inbox);
    await postOrder(paths, bytes, "a");
    await until(() => seen);
    watcher.close();
  });
});
