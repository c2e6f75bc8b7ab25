import { useState } from "preact/hooks";
import type { Blob } from "../replay/story/blob.js";
import { formatCount } from "../replay/story/format.js";
import { textOf } from "./format.js";
import { Hex } from "./hex.js";

const views = ["read", "text", "hex"] as const;
type View = (typeof views)[number];
const viewNames: Readonly<Record<View, string>> = { read: "Read", text: "Text", hex: "Hex" };

/** Bytes, as a document, as text or in hex. `mark` is the offset of a byte to draw attention to. */
export function Bytes({ blob, mark }: { readonly blob: Blob; readonly mark?: number | undefined }) {
  const possible = views.filter((view) => view !== "read" || blob.reading !== null);
  const [chosen, choose] = useState<View>(mark === undefined ? "read" : "hex");
  const view = possible.includes(chosen) ? chosen : "hex";
  const shown = view === "read" ? (blob.reading ?? "") : view === "text" ? textOf(blob.bytes) : null;
  const partial = view !== "read" && blob.length > blob.bytes.length;
  return (
    <figure class="bytes">
      <figcaption>
        <span class="label">{blob.label}</span>
        <span class="quiet">{formatCount(blob.length)} bytes</span>
        <span class="views">
          {possible.map((one) => (
            <button type="button" key={one} aria-pressed={one === view} onClick={() => choose(one)}>
              {viewNames[one]}
            </button>
          ))}
        </span>
      </figcaption>
      {blob.length === 0 ? (
        <p class="quiet">empty</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
        <pre tabIndex={0}>{shown ?? <Hex bytes={blob.bytes} mark={mark} />}</pre>
      )}
      {partial && <p class="quiet">the first {formatCount(blob.bytes.length)} bytes</p>}
    </figure>
  );
}
