import { afterEach, beforeEach, expect, it } from "vitest";
import { login } from "../../src/client/login.js";
import { openPlane, type Plane } from "../control/support.js";
import { keys } from "../support/world.js";

let plane: Plane;

beforeEach(async () => {
  plane = await openPlane({ limits: { address: { burst: 1, perSecond: 1 } } });
});
afterEach(async () => await plane.close());

it("a challenge whose answer is refused for the rate is answered again, and no other is asked for", async () => {
  const asked: string[] = [];
  const watching: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    asked.push(`${String(input).slice(plane.server.origin.length)} ${answer.status}`);
    // As if a second had passed.
    if (answer.status === 429) plane.rig.clock.advance(1000);
    return answer;
  };
  const opened = await login({ origin: plane.server.origin, signer: keys.alice, role: "approver", fetch: watching });
  expect(asked).toEqual(["/v1/auth/challenges 200", "/v1/auth/sessions 429", "/v1/auth/sessions 201"]);
  plane.rig.clock.advance(1000);
  expect((await plane.ask("/v1/whoami", { token: opened.token })).status).toBe(200);
});

it("a challenge of another cell is not signed", async () => {
  const wrong = login({ origin: plane.server.origin, signer: keys.alice, role: "approver", cellId: "elsewhere" });
  await expect(wrong).rejects.toMatchObject({ code: "EXO_CONTROL_PLANE" });
});
