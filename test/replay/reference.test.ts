import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type ReferenceReplay, referenceReplaySchema } from "../../src/contracts/reference-event.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { parseReference, referenceHash, referenceText } from "../../src/replay/reference-json.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";

type Golden = {
  readonly texts: readonly { readonly text: string; readonly canonical: string; readonly hash: string }[];
  readonly streams: readonly {
    readonly name: string;
    readonly correlation: string;
    readonly stream: string;
    readonly report: ReferenceReplay["correlations"][number]["reference"];
  }[];
  readonly refused: readonly { readonly name: string; readonly stream: string; readonly error: string }[];
};

const vectors = new URL("../vectors/reference/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("golden.json", vectors), "utf8")) as Golden;

/** Words of the reference's libraries about an intent they could not read; ours are others after the same beginning. */
const ownWords = /^(Failed to (?:reconstruct executed intent|process intent execution): )[^]*$/;
const bare = (messages: readonly string[]): string[] => messages.map((message) => message.replace(ownWords, "$1"));

async function replay(text: string, correlation?: string): Promise<ReferenceReplay> {
  return referenceReplaySchema.parse(await new ReplayEngine().replayReference(encodeUtf8(text), correlation));
}

describe("what ExoArmur-Core wrote", () => {
  it("every text has its canonical form and hash", () => {
    expect(golden.texts.length).toBeGreaterThan(300);
    for (const { text, canonical, hash } of golden.texts) {
      const value = parseReference(text);
      expect([text, referenceText(value), referenceHash(value)]).toEqual([text, canonical, hash]);
    }
  });

  it("every stream has its report", async () => {
    expect(golden.streams.length).toBeGreaterThan(150);
    for (const { name, correlation, stream, report } of golden.streams) {
      const { correlations } = await replay(stream, correlation);
      const [found] = correlations;
      if (found === undefined) throw new Error(`${name}: no report`);
      expect([name, { ...found.reference, failures: bare(found.reference.failures) }]).toEqual([
        name,
        { ...report, failures: bare(report.failures) },
      ]);
    }
  });

  it.each(golden.refused)("what it refuses is refused: $name ($error)", async ({ stream }) => {
    await expect(replay(stream)).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });
});
