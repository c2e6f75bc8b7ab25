import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type ReferenceReplay, referenceReplaySchema } from "../../src/contracts/reference-event.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { createEvent } from "../../src/replay/create-event.js";
import { parseReference, referenceHash, referenceText } from "../../src/replay/reference-json.js";
import { looksLikeReference } from "../../src/replay/reference-read.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";

type Report = ReferenceReplay["correlations"][number]["reference"];
type Golden = {
  readonly texts: readonly { readonly text: string; readonly canonical: string; readonly hash: string }[];
  readonly streams: readonly {
    readonly name: string;
    readonly correlation: string;
    readonly stream: string;
    readonly report: Report;
  }[];
  readonly lenient: readonly { readonly name: string; readonly stream: string; readonly result: string }[];
  readonly refused: readonly { readonly name: string; readonly stream: string; readonly error: string }[];
};

const vectors = new URL("../vectors/reference/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("golden.json", vectors), "utf8")) as Golden;

/** Words of the reference's libraries about an intent they could not read; ours are others after the same beginning. */
const ownWords = /^(Failed to (?:reconstruct executed intent|process intent execution): )(?:.|\n)*$/;
const bare = (messages: readonly string[]): string[] => messages.map((message) => message.replace(ownWords, "$1"));

/** The reference tells of changed payloads in the order the events come in, ours in the order of replay. */
function comparable(report: Report): object {
  const changed = report.failures.filter((message) => message.startsWith("Payload integrity"));
  return { ...report, failures: [...changed.sort(), ...bare(report.failures.slice(changed.length))] };
}

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
      expect([name, comparable(found.reference)]).toEqual([name, comparable(report)]);
    }
  });

  it.each(golden.refused)("what it refuses is refused: $name ($error)", async ({ stream }) => {
    await expect(replay(stream)).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });
});

type Row = { readonly name: string; readonly there: string; readonly here: string };

const page = readFileSync(new URL("../../spec/reference-replay.md", import.meta.url), "utf8");
const rows: Row[] = [...page.matchAll(/^\| ([^|]+) \| [^|]+ \| (success|partial|failure) \| ([^|]+) \|$/gm)].map(
  ([, name = "", there = "", here = ""]) => ({ name, there, here }),
);

/** The result of a stream and the rules that made it worse, or the code it was refused with, as the page writes it. */
async function outcome(stream: string): Promise<string> {
  try {
    const { result, correlations } = await replay(stream);
    const rules = new Set(correlations.flatMap(({ stricter }) => stricter.map(({ rule }) => rule)));
    return [result, ...[...rules].map((rule) => `\`${rule}\``)].join(" ");
  } catch (error) {
    return `\`${(error as { code: string }).code}\``;
  }
}

describe("where ours is stricter", () => {
  it("the page lists what was handed to ExoArmur-Core, and nothing else", () => {
    expect(rows.map(({ name }) => name)).toEqual(golden.lenient.map(({ name }) => name));
    expect(rows.length).toBeGreaterThan(20);
  });

  it.each(rows)("$name: $there there, $here here", async ({ name, there, here }) => {
    const found = golden.lenient.find((one) => one.name === name);
    expect(found?.result).toBe(there);
    expect(await outcome(found?.stream ?? "")).toBe(here);
    expect(here.startsWith(there)).toBe(false);
  });

  it("says nothing about a stream that breaks no rule", async () => {
    const quiet = ["quickstart", "whole", "shuffled [2, 1, 0]", "executed", "unknown type", "one event twice"];
    for (const name of quiet) {
      const { correlations } = await replay(streamOf(name));
      expect([name, correlations[0]?.stricter]).toEqual([name, []]);
    }
  });
});

const streamOf = (name: string): string => golden.streams.find((one) => one.name === name)?.stream ?? "";
const linesOf = (stream: string): string[] => stream.trimEnd().split("\n");

/** Every order of a list. */
function orders<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]];
  return list.flatMap((one, at) => orders(list.filter((_, index) => index !== at)).map((rest) => [one, ...rest]));
}

describe("a stream", () => {
  it("has one report, whatever order its events come in", async () => {
    const names = ["whole", "all changed", "one event twice", "two events with one id, another changed"];
    for (const name of names) {
      const lines = linesOf(streamOf(name));
      const reports = await Promise.all(orders(lines).map(async (order) => await replay(order.join("\n"))));
      expect(new Set(reports.map((report) => JSON.stringify(report))).size, name).toBe(1);
    }
  });

  it("has one report also where events agree in type, id and number", async () => {
    const lines = linesOf(streamOf("two verdicts under one id, numbers 1 and 2")).map((line) =>
      line.replace(/"sequence_number":\d/, '"sequence_number":null'),
    );
    const reports = await Promise.all(orders(lines).map(async (order) => await replay(order.join("\n"))));
    expect(reports[0]).toEqual(reports[1]);
    expect(reports[0]?.result).toBe("failure");
  });

  it("has one report, however often it is replayed, and as an array or as lines", async () => {
    const lines = linesOf(streamOf("executed"));
    const wanted = await replay(lines.join("\n"));
    for (const text of [lines.join("\r\n\n"), `[${lines.join(",\n")}]`, `\n ${lines.join("\n")}\n`]) {
      expect(await replay(text)).toEqual(wanted);
    }
  });

  it("may hold many correlations: each is replayed alone, and the worst decides", async () => {
    const moved = (name: string, id: string): string =>
      streamOf(name).replaceAll('"correlation_id":"corr-1","payload"', `"correlation_id":"${id}","payload"`);
    const other = moved("unknown type", "corr-2");
    const bad = moved("blank hash", "corr-0");
    const two = await replay(streamOf("whole") + other);
    expect(two.result).toBe("partial");
    expect(two.correlations.map(({ correlationId, result }) => [correlationId, result])).toEqual([
      ["corr-1", "success"],
      ["corr-2", "partial"],
    ]);
    expect((await replay(other + bad + streamOf("whole"))).result).toBe("failure");
    expect((await replay(other + streamOf("whole"), "corr-1")).result).toBe("success");
  });

  it("lists doubled ids sorted, each once", async () => {
    const lines = linesOf(streamOf("whole"));
    const { correlations } = await replay([...lines, ...lines, ...lines].reverse().join("\n"));
    const ids = ["00", "01", "02"].map((number) => `'01J4NR5X9Z8GABCDEF123456${number}'`).join(", ");
    expect(correlations[0]?.reference.warnings).toEqual([
      `Envelope validation issue: Duplicate audit IDs found: [${ids}]`,
    ]);
  });

  it("shows an intent's integer that is no exact number here as text", async () => {
    const stream = streamOf("executed, with parameters").replace("123456789012345", "12345678901234567890");
    const unhashed = linesOf(stream).map(
      (line) => JSON.parse(line) as { payload_hash: string; sequence_number: number },
    );
    const raw = linesOf(stream).map((line, at) => {
      const payload = /"payload":(\{.*\}),"payload_hash"/.exec(line)?.[1] ?? "";
      return line.replace(unhashed[at]?.payload_hash ?? "", referenceHash(parseReference(payload)));
    });
    const { correlations } = await replay(raw.join("\n"));
    expect(JSON.stringify(correlations[0]?.reference.reconstructed_intents)).toContain('"big":"12345678901234567890"');
  });

  it.each([
    ["nothing", "", "EXO_NO_RECORDS"],
    ["an empty array", "[]", "EXO_NO_RECORDS"],
    ["blank lines", "\n \n", "EXO_NO_RECORDS"],
    ["half a line", '{"event_id":', "EXO_JSON_SYNTAX"],
    ["two arrays", "[][]", "EXO_JSON_SYNTAX"],
    ["a number of 4,301 digits", `[${"9".repeat(4301)}]`, "EXO_JSON_NUMBER"],
  ])("of %s is refused", async (_name, text, code) => {
    await expect(replay(text)).rejects.toMatchObject({ code });
  });

  it("that is no UTF-8 is refused", async () => {
    await expect(new ReplayEngine().replayReference(Uint8Array.of(0x5b, 0xff))).rejects.toMatchObject({
      code: "EXO_JSON_UTF8",
    });
  });

  it("says in which line it is not JSON, and which event is none", async () => {
    const [first = "", second = ""] = linesOf(streamOf("whole"));
    await expect(replay(`${first}\n\n${second.slice(1)}`)).rejects.toThrow(/^line 3 of the events: /);
    await expect(replay(`[${first},${second.replace('"actor"', '"actors"')}]`)).rejects.toThrow(
      /^event 1: reference mode takes CanonicalEvents only; \/actor: /,
    );
  });

  it("is not an event of ours, nor is ours one of it", async () => {
    const ours = createEvent({
      eventId: "01K5Z0000000000000000QS001",
      eventType: "kill_switch_changed",
      actor: { id: "operator", type: "operator" },
      correlationId: "c",
      recordedAt: "2026-01-01T00:00:00.000Z",
      payload: { scope: "global", tenantId: null, on: false, epoch: 1, envelopeDigest: null } as never,
    });
    await expect(replay(JSON.stringify(ours))).rejects.toMatchObject({ code: "EXO_SCHEMA" });
    const events = [JSON.parse(linesOf(streamOf("whole"))[0] ?? "")] as never[];
    const auditStore = { chains: () => [{ tenantId: "t", events, next: null }] };
    await expect(new ReplayEngine({ auditStore }).replayCorrelation("corr-1")).rejects.toMatchObject({
      code: "EXO_SCHEMA",
    });
  });
});

describe("the published demo", () => {
  const file = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, vectors)));

  it("has the published outcome", async () => {
    const published = JSON.parse(new TextDecoder().decode(file("demo_replay_output.json"))) as {
      [name: string]: unknown;
    };
    const { correlations } = await new ReplayEngine().replayReference(file("demo_canonical_events.json"));
    for (const [name, value] of Object.entries(correlations[0]?.reference ?? {})) {
      const counted = typeof value === "object" && !Array.isArray(value) ? Object.keys(value).length : value;
      const shown = name === "replay_timestamp" ? "1970-01-01T00:00:00+00:00" : counted;
      expect([name, shown]).toEqual([name, published[name]]);
    }
  });
});

describe("the shape of a file", () => {
  const looks = (text: string): boolean => looksLikeReference(encodeUtf8(text));

  it("tells a stream from everything else", () => {
    for (const { stream } of golden.streams) {
      expect(looks(stream)).toBe(true);
      expect(looks(`[\n  ${linesOf(stream).join(",")}]`)).toBe(true);
    }
    const notes = ["", "[]", "{}", "x", '{"envelope":{"payload_hash":1}}', '{"a":"\\"payload_hash\\":"}'];
    for (const text of notes) expect([text, looks(text)]).toEqual([text, false]);
  });
});
