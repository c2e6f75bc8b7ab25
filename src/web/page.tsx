import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Comparison } from "./comparison.js";
import { type Named, readFile } from "./files.js";
import { Timeline } from "./timeline.js";
import { useCheck } from "./use-check.js";
import { Checks, Verdict } from "./verdict.js";

// Entry point of the page. It reads the files it is given, hands them to a worker and shows what that finds.

/** What `exoarmur verify --open` puts into the page: files in base64. */
function givenFiles(): { bundle: Named; trust: Named | null } | null {
  const text = document.getElementById("given")?.textContent;
  if (!text) return null;
  const { bundle, trust } = JSON.parse(text) as Record<"bundle" | "trust", { name: string; base64: string } | null>;
  const named = (file: { name: string; base64: string }): Named => ({
    name: file.name,
    bytes: Uint8Array.from(atob(file.base64), (char) => char.charCodeAt(0)),
  });
  return bundle === null ? null : { bundle: named(bundle), trust: trust === null ? null : named(trust) };
}

function Page() {
  const [trust, setTrust] = useState<Named | null>(null);
  const [bundle, setBundle] = useState<Named | null>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const { findings, start, stop } = useCheck();

  const take = async (files: readonly File[], asTrust: boolean): Promise<void> => {
    const read = await Promise.all(files.slice(0, 2).map(readFile));
    setProblem(read.find((file) => typeof file === "string") ?? null);
    const named = read.filter((file) => typeof file !== "string");
    const trusted = named.find((file) => asTrust || isTrust(file)) ?? trust;
    const chosen = named.find((file) => file !== trusted) ?? bundle;
    setTrust(trusted);
    setBundle(chosen);
    if (chosen !== null && named.length > 0) start(chosen, trusted);
  };

  useEffect(() => {
    const given = givenFiles();
    if (given === null) return;
    setBundle(given.bundle);
    setTrust(given.trust);
    start(given.bundle, given.trust);
  }, []);

  useEffect(() => {
    const drag = (event: DragEvent): void => {
      event.preventDefault();
      setOver(event.type === "dragover");
      if (event.type === "drop") void take([...(event.dataTransfer?.files ?? [])], false);
    };
    const kinds = ["dragover", "dragleave", "drop"] as const;
    for (const kind of kinds) addEventListener(kind, drag);
    return () => {
      for (const kind of kinds) removeEventListener(kind, drag);
    };
  });

  return (
    <main class={over ? "over" : ""}>
      <header>
        <p class="name">ExoArmur verifier</p>
        <p class="quiet">Checks and re-runs a recorded action in this browser. Nothing leaves this page.</p>
      </header>
      <Files bundle={bundle} trust={trust} onTake={(files, asTrust) => void take(files, asTrust)} />
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {findings !== null && (
        <>
          <Verdict findings={findings} onStop={() => stop("it was stopped")} />
          <Checks findings={findings} />
          <Comparison findings={findings} />
          {findings.story !== null && (
            <Timeline key={findings.story.intentId} findings={findings} story={findings.story} />
          )}
        </>
      )}
    </main>
  );
}

/** A trust file names its own schema; a bundle is too large to look into here and starts with its envelope. */
function isTrust({ bytes }: Named): boolean {
  const text = bytes.length > 1_048_576 ? "" : new TextDecoder().decode(bytes);
  return /"schema"\s*:\s*"exoarmur\.trust\//.test(text) && !text.startsWith('{"envelope"');
}

type FilesProps = {
  readonly bundle: Named | null;
  readonly trust: Named | null;
  readonly onTake: (files: readonly File[], asTrust: boolean) => void;
};

function Files({ bundle, trust, onTake }: FilesProps) {
  const picked = (event: { readonly currentTarget: HTMLInputElement }): void => {
    onTake([...(event.currentTarget.files ?? [])], event.currentTarget.id === "trust-file");
    event.currentTarget.value = "";
  };
  return (
    <div class={bundle === null ? "files first" : "files"}>
      <label class="file">
        <input id="bundle-file" type="file" accept=".json" onChange={picked} />
        <span class="label">{bundle === null ? "Drop a proof bundle here, or choose one" : bundle.name}</span>
        <span class="quiet">{bundle === null ? "*.proof.json" : "another bundle"}</span>
      </label>
      <label class="file">
        <input id="trust-file" type="file" accept=".json" onChange={picked} />
        <span class="label">{trust === null ? "Trust file" : trust.name}</span>
        <span class="quiet">{trust === null ? "optional: whose keys count" : "another trust file"}</span>
      </label>
    </div>
  );
}

const root = document.getElementById("page");
if (root !== null) {
  root.textContent = "";
  render(<Page />, root);
}
