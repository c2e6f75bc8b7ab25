import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { createFsPerformers } from "../../src/capabilities/performers/fs/files.js";
import type { CapabilityName } from "../../src/contracts/imports.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { realPool } from "../support/real.js";
import { checkStore, endOf, eventTypes, openRig, type Rig } from "../support/rig.js";
import { hostilePlugin, watBytes } from "./support.js";

const pool = realPool({ size: 1 });
const base = realpathSync(mkdtempSync(join(tmpdir(), "exo-paths-")));
const inside = join(base, "data");
const outside = join(base, "outside");
const secret = "TOP-SECRET";
const root = { path: inside, access: "write" } as const;

let rig: Rig;

beforeAll(async () => {
  mkdirSync(join(inside, "in"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(inside, "in/a.txt"), "inside");
  writeFileSync(join(outside, "secret.txt"), secret);
  symlinkSync(outside, join(inside, "link"));
  symlinkSync(join(outside, "secret.txt"), join(inside, "file-link"));
  const grants = { fs_read: { roots: ["data"] }, fs_write: { roots: ["data"] }, fs_remove: { roots: ["data"] } };
  rig = await openRig({
    sandbox: pool,
    plugins: [],
    rules: [{ id: "all", match: {}, verdict: "allow" }],
    grants: { climber: grants },
    performers: createFsPerformers({ data: root, ungranted: { path: outside, access: "write" } }),
  });
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** A guest that asks with this, whatever its intent's target is. */
async function attack(
  capability: CapabilityName,
  request: Uint8Array,
): Promise<{ readonly said: string; readonly events: string[] }> {
  const body = `(call $all (call $${capability} (call $text (i32.const 0) (i32.const ${request.length}))))`;
  const rest = `(data (i32.const 0) ${watBytes(request)})`;
  await rig.add(hostilePlugin("climber", { body, rest, capabilities: [capability], effects: "write" }));
  const result = await rig.pipeline.execute({
    actor: "a",
    action: "attack.climber",
    parameters: { path: "data/in/a.txt" },
  });
  if (result.status !== "executed") throw new Error(endOf(result));
  return {
    said: new TextDecoder().decode(result.output as Uint8Array),
    events: eventTypes(rig, result.intentId),
  };
}

const content = encodeUtf8("changed");
const requests = (path: string): readonly (readonly [CapabilityName, Uint8Array])[] => [
  ["fs_read", encodeAbi({ path })],
  ["fs_write", encodeAbi({ path, bytes: content, mode: "replace" })],
  ["fs_remove", encodeAbi({ path })],
];

/** Whatever was asked, this is as it was. */
function expectUntouched(): void {
  expect(readdirSync(outside)).toEqual(["secret.txt"]);
  expect(readFileSync(join(outside, "secret.txt"), "utf8")).toBe(secret);
  expect(readFileSync(join(inside, "in/a.txt"), "utf8")).toBe("inside");
}

describe("a guest that asks for another path than its target", () => {
  const paths: Readonly<Record<string, string>> = {
    "two dots": "data/../outside/secret.txt",
    "two dots behind a folder": "data/in/../../outside/secret.txt",
    "an absolute path": join(outside, "secret.txt"),
    "an absolute path of two slashes": `/${outside}/secret.txt`,
    "a NUL behind a good name": "data/in/a.txt\0.csv",
    backslashes: "data\\..\\outside\\secret.txt",
    "a link to a folder": "data/link/secret.txt",
    "a link to a file": "data/file-link",
    "a root that is not granted": "ungranted/secret.txt",
    "a root that there is not": "etc/passwd",
    "the root's name in another case": "DATA/in/a.txt",
    "an empty segment": "data//in/a.txt",
  };

  for (const [what, path] of Object.entries(paths)) {
    it(`${what}: read, write and removal are refused, recorded, and touch nothing`, async () => {
      for (const [capability, request] of requests(path)) {
        const { said } = await attack(capability, request);
        if (path.startsWith("data/file-link") && capability !== "fs_read") {
          // A link is itself replaced or removed, never what it leads to.
          expectUntouched();
          rmSync(join(inside, "file-link"), { force: true });
          symlinkSync(join(outside, "secret.txt"), join(inside, "file-link"));
          continue;
        }
        expect(said).toMatch(/EXO_(?:FS_\w+|CAPABILITY_DENIED)/);
        expect(said).not.toContain(secret);
        expect(said).not.toContain(base);
        expectUntouched();
      }
    });
  }

  it("a folder that is swapped for a link and back, again and again", async () => {
    const swapped = join(inside, "swapped");
    const kept = join(base, "kept");
    mkdirSync(kept);
    writeFileSync(join(kept, "secret.txt"), "harmless");
    renameSync(kept, swapped);
    let swapping = true;
    const swap = async (): Promise<void> => {
      while (swapping) {
        renameSync(swapped, kept);
        symlinkSync(outside, swapped);
        await new Promise((resolve) => setImmediate(resolve));
        rmSync(swapped);
        renameSync(kept, swapped);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const swapper = swap();
    try {
      for (let turn = 0; turn < 40; turn += 1) {
        for (const [capability, request] of requests("data/swapped/secret.txt").slice(0, 2)) {
          expect((await attack(capability, request)).said).not.toContain(secret);
          expectUntouched();
        }
      }
    } finally {
      swapping = false;
      await swapper;
    }
  });

  it("a good path is served: the table above can fail", async () => {
    const { said, events } = await attack("fs_read", encodeAbi({ path: "data/in/a.txt" }));
    expect(said).toContain("inside");
    expect(events).not.toContain("effect_started");
    expect(
      (await attack("fs_write", encodeAbi({ path: "data/b.txt", bytes: content, mode: "create" }))).events,
    ).toContain("effect_started");
    expect(readFileSync(join(inside, "b.txt"), "utf8")).toBe("changed");
  });

  it("every record verifies", () => {
    expect(checkStore(rig).length).toBeGreaterThan(100);
  });
});
