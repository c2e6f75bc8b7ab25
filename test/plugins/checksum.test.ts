import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { AbiValue } from "../../src/ports.js";
import { type Ran, runSandboxed, sealedAt } from "./sandboxed.js";

// plugins/checksum, written in C: what it asks of the host and what it makes of the answers.

const module = sealedAt("plugins/checksum.wasm");
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const part = 262_144;

/** Runs it on a file that the host serves as it is asked for. */
function sum(content: Uint8Array, parameters: Record<string, unknown> = {}): Promise<Ran> {
  const input = JSON.stringify({ path: "data/f", ...parameters });
  return runSandboxed(module, "checksum", input, (_, { offset, length }) => {
    const from = offset as number;
    return { ok: { bytes: content.slice(from, from + (length as number)), size: content.length } };
  });
}

const digestOf = async (content: Uint8Array, parameters: Record<string, unknown> = {}): Promise<unknown> => {
  const { output, outcome } = await sum(content, parameters);
  expect(outcome.error).toBeUndefined();
  return (JSON.parse(output) as { digest: unknown }).digest;
};

const refused = async (serve: (call: number) => AbiValue, input: unknown = { path: "data/f" }): Promise<unknown> => {
  let call = 0;
  const ran = await runSandboxed(module, "checksum", JSON.stringify(input), () => serve(call++) as never);
  expect(ran.outcome.status).toBe("guest_error");
  return ran.outcome.error?.message;
};

describe("digests", () => {
  test("of the published examples", async () => {
    // FIPS 180-4's examples as NIST gives them, and the check value of CRC-32.
    expect(await digestOf(utf8("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(await digestOf(utf8("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))).toBe(
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
    expect(await digestOf(new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(await digestOf(utf8("123456789"), { algorithm: "crc32" })).toBe("cbf43926");
    expect(await digestOf(new Uint8Array(), { algorithm: "crc32" })).toBe("00000000");
  });

  test("of every length around a block and a part, as another implementation has them", async () => {
    const content = Uint8Array.from({ length: 2 * part + 9 }, (_, i) => (i * i + (i >> 7)) & 255);
    for (const length of [1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 4095, part - 1, part, part + 1, 2 * part + 9]) {
      const file = content.subarray(0, length);
      expect([length, await digestOf(file)]).toEqual([length, createHash("sha256").update(file).digest("hex")]);
      const crc = crc32(file).toString(16).padStart(8, "0");
      expect([length, await digestOf(file, { algorithm: "crc32" })]).toEqual([length, crc]);
    }
  });

  test("to the byte, and read part by part in the memory of one", async () => {
    const { output, calls, outcome } = await sum(new Uint8Array(3 * part + 1));
    expect(output).toBe(
      `{"algorithm":"sha256","digest":"${createHash("sha256")
        .update(new Uint8Array(3 * part + 1))
        .digest("hex")}","path":"data/f","size":${3 * part + 1}}`,
    );
    expect(calls).toEqual([0, 1, 2, 3].map((at) => ["fs_read", { path: "data/f", offset: at * part, length: part }]));
    expect(outcome.memoryPeakPages).toBeLessThan(12);
  });
});

describe("refusals", () => {
  test("a file that changes while it is read", async () => {
    const answers = (sizes: number[], lengths: number[]) => (call: number) => ({
      ok: { bytes: new Uint8Array(lengths[call] ?? 0), size: sizes[call] ?? 0 },
    });
    for (const serve of [
      answers([part + 5, part + 6], [part, 5]),
      answers([part + 5, part + 5], [part, 4]),
      answers([part + 5, part + 5], [part, 0]),
      answers([part + 5, part + 5], [part, 6]),
      answers([5], [4]),
      answers([0], [1]),
      answers([4], [5]),
    ]) {
      expect(await refused(serve)).toBe("data/f: the file changed while it was read");
    }
  });

  test("the host's, with its code", async () => {
    const error = { code: "EXO_FS_NOT_FOUND", message: "There is no such file." };
    expect(await refused(() => ({ error }))).toBe("data/f: EXO_FS_NOT_FOUND: There is no such file.");
    expect(await refused(() => ({ ok: { bytes: "text", size: 4 } }))).toMatch(/^data\/f: EXO_MSGPACK: /);
  });

  test("parameters", async () => {
    for (const [input, problem] of [
      [{}, 'parameter "path" is missing'],
      [{ path: 1 }, 'parameter "path" must be a string, not a number'],
      [{ path: "data/f", algorithm: "md5" }, 'parameter "algorithm" must be "sha256" or "crc32"'],
      [{ path: "data/f", algorithm: null }, 'parameter "algorithm" must be a string, not null'],
      [{ path: "data/f", extra: 1 }, 'parameter "extra" is not known'],
    ] as const) {
      expect(await refused(() => ({ ok: {} }), input)).toBe(problem);
    }
  });
});
