import { describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/canonical/digest.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { isTranscriptEntry, transcriptPath, transcriptRoot } from "../../src/log/transcript.js";

const entriesOf = (size: number): Digest[] =>
  Array.from({ length: size }, (_, at) => digestOf(encodeUtf8(`call ${at}`)));
const transcriptOf = (entries: readonly Digest[]): { root: Digest; size: number } => ({
  root: transcriptRoot(entries),
  size: entries.length,
});

describe("one entry of a transcript", () => {
  it("is shown by its path, in transcripts of every size to 33", () => {
    for (let size = 1; size <= 33; size++) {
      const entries = entriesOf(size);
      for (const [seq, entry] of entries.entries()) {
        const path = transcriptPath(entries, seq);
        expect(path.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
        expect(isTranscriptEntry(entry, seq, transcriptOf(entries), path)).toBe(true);
      }
    }
  });

  it("is shown in nowhere else: another place, entry, size, root or path is refused", () => {
    const entries = entriesOf(7);
    const transcript = transcriptOf(entries);
    const path = transcriptPath(entries, 3);
    const [entry, other] = [entries[3], entries[4]] as [Digest, Digest];
    expect(isTranscriptEntry(entry, 3, transcript, path)).toBe(true);
    for (const seq of [0, 1, 2, 4, 5, 6, 7, -1, 3.5, Number.NaN]) {
      expect(isTranscriptEntry(entry, seq, transcript, path)).toBe(false);
    }
    expect(isTranscriptEntry(other, 3, transcript, path)).toBe(false);
    for (const size of [0, 3, 4, 9, 2 ** 53]) {
      expect(isTranscriptEntry(entry, 3, { ...transcript, size }, path)).toBe(false);
    }
    expect(isTranscriptEntry(entry, 3, { ...transcript, root: transcriptRoot(entriesOf(8)) }, path)).toBe(false);
    expect(isTranscriptEntry(entry, 3, transcript, path.slice(1))).toBe(false);
    expect(isTranscriptEntry(entry, 3, transcript, [...path, new Uint8Array(32)])).toBe(false);
    expect(isTranscriptEntry(entry, 3, transcript, path.toReversed())).toBe(false);
    expect(isTranscriptEntry(entry, 3, transcript, [new Uint8Array(31), ...path.slice(1)])).toBe(false);
  });

  it("is not a node of the tree passed off as an entry", () => {
    const entries = entriesOf(4);
    const path = transcriptPath(entries, 0);
    const inner: Digest = `sha256:${Buffer.from(path[1] ?? []).toString("hex")}`;
    expect(isTranscriptEntry(inner, 1, { root: transcriptRoot(entries), size: 2 }, path.slice(0, 1))).toBe(false);
  });

  it.each([[-1], [5], [0.5], [Number.NaN]])("has no path at %d of 5", (seq) => {
    expect(() => transcriptPath(entriesOf(5), seq)).toThrow(expect.objectContaining({ code: "EXO_LOG_RANGE" }));
  });
});
