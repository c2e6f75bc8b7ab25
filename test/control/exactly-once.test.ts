import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { Envelope } from "../../src/contracts/dsse.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import { grant } from "../support/sign.js";
import { keys, startMs, testClock } from "../support/world.js";
import { type Answer, codeOf, openPlane, type Plane, type PlaneOptions } from "./support.js";

const rule: PolicyRule = {
  id: "ask",
  match: { action: "fs.remove" },
  verdict: "require_approval",
  obligations: { approvals: 2, roles: ["approver"] },
};
const held: PolicyRule = { ...rule, obligations: { ...rule.obligations, holdSeconds: 60 } };

const planes: Plane[] = [];
afterEach(async () => {
  for (const plane of planes.splice(0)) await plane.close();
});

type Asked = {
  readonly plane: Plane;
  readonly approver: string;
  readonly request: ApprovalRequest;
  readonly post: (envelope: Envelope, query?: string) => Promise<Answer>;
};

/** A plane on which an agent's action waits for two people. */
async function asked(rig: PlaneOptions["rig"] = {}): Promise<Asked> {
  const plane = await openPlane({ rig: { rules: [rule], ...rig } });
  planes.push(plane);
  const agent = plane.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["*"] });
  const body = { action: "fs.remove", parameters: { path: "data/orders.csv" }, idempotencyKey: "the-one" };
  const pending = await plane.ask("/v1/intents?waitMs=0", { token: agent, body });
  const request = pending.json["approval"] as ApprovalRequest;
  const approver = await plane.login("approver");
  const post = async (envelope: Envelope, query = ""): Promise<Answer> =>
    await plane.ask(`/v1/approvals/${request.requestId}/grants${query}`, { token: approver, body: envelope });
  return { plane, approver, request, post };
}

const briefly = ({ status, json }: Answer): string => `${status} ${String(json["code"] ?? json["status"])}`;
const sign = async (request: ApprovalRequest): Promise<[Envelope, Envelope]> => [
  await grant(request, "alice", keys.alice),
  await grant(request, "bob", keys.bob),
];

describe("the very same grant again", () => {
  test("counted, and others are still needed: 202 and what stands", async () => {
    const { post, request, plane } = await asked();
    const [alice] = await sign(request);
    const answers = [await post(alice), await post(alice), await post(alice)];
    expect(answers.map(briefly)).toEqual(Array(3).fill("202 approval_pending"));
    expect(answers[1]?.json).toEqual(answers[0]?.json);
    expect(plane.rig.pipeline.approvals()[0]?.record.state.decisions).toHaveLength(1);
    expect(briefly(await post(await grant(request, "alice", keys.alice)))).toBe("409 EXO_APPROVAL_DUPLICATE");
  });

  test("from two tabs of two operators at once: every answer is good, one execution", async () => {
    const { post, request, plane } = await asked();
    const [alice, bob] = await sign(request);
    const answers = await Promise.all([alice, bob, alice, bob, bob, alice].map((one) => post(one)));
    for (const answer of answers) {
      expect(["200 executed", "202 approval_pending", "202 running"]).toContain(briefly(answer));
      expect(answer.json["intentId"]).toBe(request.intentId);
    }
    expect(briefly(await post(alice))).toBe("200 executed");
    expect([plane.rig.sandbox.starts, plane.rig.disk.done]).toEqual([1, ["fs_remove data/orders.csv"]]);
  });

  test("by a client whose connection broke before the answer", async () => {
    const { post, request, plane, approver } = await asked();
    const [alice, bob] = await sign(request);
    await post(alice);
    const body = JSON.stringify(bob);
    await new Promise<void>((resolve, reject) => {
      const socket = connect(plane.server.port, "127.0.0.1", () => {
        const head = [
          `POST /v1/approvals/${request.requestId}/grants HTTP/1.1`,
          "Host: 127.0.0.1",
          `Authorization: Bearer ${approver}`,
          "Content-Type: application/json",
          `Content-Length: ${Buffer.byteLength(body)}`,
        ];
        socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
      });
      socket.on("error", reject);
      // The first byte of the answer is not read any more.
      socket.once("data", () => socket.destroy());
      socket.on("close", () => resolve());
    });
    const again = await post(bob);
    expect(briefly(again)).toBe("200 executed");
    expect(plane.rig.sandbox.starts).toBe(1);
  });

  test("while the run it started goes on: waits for its end as the first one did", async () => {
    const { post, request, plane } = await asked();
    const [alice, bob] = await sign(request);
    await post(alice);
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    plane.rig.disk.onWrite = async () => {
      await gate;
      return "ok" as const;
    };
    expect(briefly(await post(bob, "?waitMs=0"))).toBe("202 running");
    expect(briefly(await post(bob, "?waitMs=0"))).toBe("202 running");
    const waiting = post(bob, "?waitMs=30000");
    // Long enough for the request to come in first; were it not, the answer would be the same.
    await new Promise((resolve) => setTimeout(resolve, 200));
    release();
    expect(briefly(await waiting)).toBe("200 executed");
    expect(plane.rig.sandbox.starts).toBe(1);
  });

  test("of a deny, and of an approval that a deny overtook: the denial, with its reason", async () => {
    const { post, request } = await asked();
    const [alice] = await sign(request);
    const no = await grant(request, "bob", keys.bob, { decision: "deny", reason: "not this one" });
    await post(alice);
    const denied = await post(no);
    expect(briefly(denied)).toBe("200 denied");
    for (const again of [await post(no), await post(alice)]) expect(again.json).toEqual(denied.json);
    expect(codeOf(await post(await grant(request, "bob", keys.bob)))).toBe("409 EXO_APPROVAL_CLOSED");
  });

  test("after the request expired: what became of it; one that was never counted stays refused", async () => {
    // Shorter than a session.
    const { post, request, plane } = await asked({
      rules: [{ ...rule, obligations: { ...rule.obligations, expiresInSeconds: 60 } }],
    });
    const [alice, bob] = await sign(request);
    await post(alice);
    plane.rig.clock.set(Date.parse(request.expiresAt) + 1);
    const late = await post(alice);
    expect([briefly(late), (late.json["reason"] as { code: string }).code]).toEqual([
      "200 denied",
      "EXO_APPROVAL_EXPIRED",
    ]);
    expect(briefly(await post(bob))).toMatch(/^4\d\d EXO_APPROVAL_EXPIRED$/);
    expect(plane.rig.sandbox.starts).toBe(0);
  });

  test("after a restart over the same store", async () => {
    const [store, clock, disk] = [createMemoryStore(), testClock(), new FakeDisk()];
    const first = await asked({ store, clock, disk });
    const [alice, bob] = await sign(first.request);
    await first.post(alice);
    await first.post(bob);
    const second = await openPlane({ rig: { rules: [rule], store, clock, disk, seed: "second" } });
    planes.push(second);
    const token = await second.login("approver");
    for (const body of [alice, bob]) {
      const again = await second.ask(`/v1/approvals/${first.request.requestId}/grants`, { token, body });
      expect(briefly(again)).toBe("200 executed");
    }
    expect([second.rig.sandbox.starts, disk.done.length]).toEqual([0, 1]);
  });

  test("under another request, by another tenant's approver, or changed: refused as ever", async () => {
    const { post, request, plane } = await asked();
    const [alice] = await sign(request);
    await post(alice);
    const token = await plane.login("otherApprover");
    const path = `/v1/approvals/${request.requestId}/grants`;
    expect(codeOf(await plane.ask(path, { token, body: alice }))).toBe("404 EXO_APPROVAL_UNKNOWN");
    const [signature] = alice.signatures;
    const sig = `${signature?.sig.startsWith("A") ? "B" : "A"}${signature?.sig.slice(1) ?? ""}`;
    const changed = { ...alice, signatures: [{ keyid: signature?.keyid ?? "", sig }] };
    expect((await post(changed)).status).toBe(422);
  });
});

describe("a held approval over HTTP", () => {
  test("says until when, is found under its status, starts once, and the same grant again tells so", async () => {
    const { post, request, plane, approver } = await asked({ rules: [held] });
    const [alice, bob] = await sign(request);
    expect((await post(alice)).json["heldUntil"]).toBeUndefined();
    const approved = await post(bob);
    expect([briefly(approved), approved.json["heldUntil"]]).toEqual(["202 approval_pending", request.notBefore]);
    expect((await post(bob)).json).toEqual(approved.json);
    const queue = await plane.ask("/v1/approvals?status=approved", { token: approver });
    expect(queue.json["items"]).toMatchObject([{ status: "approved", request: { notBefore: request.notBefore } }]);
    plane.rig.clock.set(startMs + 60_000);
    await Promise.all([plane.rig.pipeline.resumeHeld(), post(bob), plane.rig.pipeline.resumeHeld(), post(alice)]);
    await plane.rig.pipeline.idle();
    expect(briefly(await post(bob))).toBe("200 executed");
    expect(plane.rig.sandbox.starts).toBe(1);
  });
});
