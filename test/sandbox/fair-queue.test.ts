import { describe, expect, it } from "vitest";
import { FairQueue, type QueueBounds, type QueueEntry } from "../../src/sandbox/fair-queue.js";

type Named = QueueEntry & { readonly name: string };
const entry = (tenant: string, name: string, plugin = "p", bytes = 0): Named => ({ tenant, plugin, bytes, name });

function queueOf(entries: readonly Named[], bounds: QueueBounds = { jobs: 1000, bytes: 1000 }): FairQueue<Named> {
  const queue = new FairQueue<Named>(bounds);
  for (const one of entries) queue.push(one);
  return queue;
}

/** Names in the order in which one worker would run them. */
function drain(queue: FairQueue<Named>): string {
  const names: string[] = [];
  for (let next = queue.next(); next !== undefined; next = queue.next()) {
    names.push(next.name);
    queue.end(next);
  }
  return names.join(" ");
}

describe("order", () => {
  it("is first come, first served for one tenant and plugin", () => {
    expect(drain(queueOf([1, 2, 3].map((i) => entry("a", `a${i}`))))).toBe("a1 a2 a3");
  });

  it("takes tenants in turn, however many jobs one has", () => {
    const many = [1, 2, 3, 4].map((i) => entry("a", `a${i}`));
    expect(drain(queueOf([...many, entry("b", "b1"), entry("c", "c1"), entry("b", "b2")]))).toBe(
      "a1 b1 c1 a2 b2 a3 a4",
    );
  });

  it("takes the plugins of a tenant in turn, and many plugins get a tenant no more", () => {
    const jobs = [entry("a", "p1"), entry("a", "p2"), entry("a", "q1", "q"), entry("a", "r1", "r"), entry("b", "b1")];
    expect(drain(queueOf([...jobs, entry("b", "b2")]))).toBe("p1 b1 q1 b2 r1 p2");
  });

  it("gives the next worker to the tenant that has the fewest", () => {
    const queue = queueOf([1, 2, 3, 4].map((i) => entry("a", `a${i}`)));
    expect(queue.next()?.name).toBe("a1");
    for (const name of ["b1", "b2"]) queue.push(entry("b", name));
    const first = queue.next();
    expect(first?.name).toBe("b1");
    queue.end(first as Named);
    // a's first job is long and still runs: it is b's turn again.
    expect(queue.next()?.name).toBe("b2");
    expect(queue.next()?.name).toBe("a2");
  });

  it("counts jobs that never waited", () => {
    const queue = new FairQueue<Named>({ jobs: 9, bytes: 9 });
    const direct = entry("a", "direct");
    queue.begin(direct);
    queue.push(entry("a", "a1"));
    queue.push(entry("b", "b1"));
    expect(queue.next()?.name).toBe("b1");
    queue.end(direct);
    expect(queue.next()?.name).toBe("a1");
  });

  it("serves every tenant within one round for any mix of 2,000 jobs", () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const queue = queueOf(
      Array.from({ length: 2000 }, (_, i) => entry(`t${random(random(20) + 1)}`, `${i}`, `p${random(5)}`)),
      { jobs: 2000, bytes: 0 },
    );
    const left = new Map<string, number>();
    const order: string[] = [];
    for (let next = queue.next(); next !== undefined; next = queue.next()) {
      order.push(next.tenant);
      queue.end(next);
    }
    expect(order).toHaveLength(2000);
    for (const [at, tenant] of order.entries()) {
      // Between two turns of one tenant nobody else has two turns.
      const before = order.slice(left.get(tenant) ?? at, at).filter((other) => other !== tenant);
      expect(new Set(before).size).toBe(before.length);
      left.set(tenant, at);
    }
  });
});

describe("bounds", () => {
  it("hold for jobs and say what waits", () => {
    const queue = queueOf([entry("a", "1", "p", 5), entry("b", "2")], { jobs: 2, bytes: 100 });
    expect(queue.refusal(entry("c", "3", "p", 7))).toBe(
      "the sandbox queue has no room for a job of 7 bytes: 2 of 2 jobs wait with 5 of 100 bytes of input",
    );
    expect(drain(queue)).toBe("1 2");
    expect(queue.refusal(entry("c", "3", "p", 7))).toBeUndefined();
  });

  it("hold for bytes, to the byte", () => {
    const queue = queueOf([entry("a", "1", "p", 60)], { jobs: 100, bytes: 100 });
    expect(queue.refusal(entry("b", "2", "p", 40))).toBeUndefined();
    expect(queue.refusal(entry("b", "2", "p", 41))).toBe(
      "the sandbox queue has no room for a job of 41 bytes: 1 of 100 jobs wait with 60 of 100 bytes of input",
    );
    expect(queue.refusal(entry("b", "2", "p", Number.MAX_SAFE_INTEGER))).toContain("has no room");
  });

  it("leave room for others when one tenant sends without end", () => {
    const queue = new FairQueue<Named>({ jobs: 900, bytes: 9000 });
    let taken = 0;
    while (queue.refusal(entry("a", "x")) === undefined) {
      queue.push(entry("a", "x"));
      taken++;
    }
    expect(taken).toBe(800);
    expect(queue.refusal(entry("a", "x"))).toBe(
      "tenant a has its share of the sandbox queue, 800 jobs with 0 bytes: 800 of 900 jobs wait with 0 of 9000 bytes of input",
    );
    expect(queue.refusal(entry("b", "x"))).toBeUndefined();
  });

  it("leave room in bytes as well", () => {
    const queue = new FairQueue<Named>({ jobs: 9000, bytes: 900 });
    while (queue.refusal(entry("a", "x", "p", 10)) === undefined) queue.push(entry("a", "x", "p", 10));
    expect(queue.jobs).toBe(80);
    expect(queue.refusal(entry("b", "x", "p", 100))).toBeUndefined();
  });

  it("of nothing let nothing wait", () => {
    expect(new FairQueue<Named>({ jobs: 0, bytes: 9 }).refusal(entry("a", "x"))).toContain("0 of 0 jobs");
  });
});
