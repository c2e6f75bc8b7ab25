import { ExoArmurError } from "../errors.js";
import { type Ask, noAnswer, send, type Transport } from "./transport.js";

/**
 * Asks once for an answer without an end, of a media type. The stream fails with TryAgain when nothing comes for
 * `silenceMs` or the connection is lost; otherwise as `ask`.
 */
export async function openStream(
  transport: Transport,
  one: Ask,
  { media, silenceMs }: { readonly media: string; readonly silenceMs: number },
): Promise<ReadableStream<Uint8Array>> {
  const { signal } = one;
  signal?.throwIfAborted();
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  signal?.addEventListener("abort", abort, { once: true });
  let silence = setTimeout(abort, silenceMs);
  const end = (): void => {
    clearTimeout(silence);
    signal?.removeEventListener("abort", abort);
  };
  try {
    const { headers, body } = await send(transport, one, gone.signal);
    if (headers.get("content-type") !== media || body === null) {
      gone.abort();
      throw new ExoArmurError("EXO_CONTROL_PLANE", `${transport.origin} answered without a stream of ${media}`);
    }
    const reader = body.getReader();
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      try {
        const { done, value } = await reader.read();
        clearTimeout(silence);
        if (!done) {
          silence = setTimeout(abort, silenceMs);
          controller.enqueue(value);
          return;
        }
        end();
        controller.close();
      } catch (cause) {
        end();
        throw noAnswer(cause, transport, signal);
      }
    };
    const cancel = (): void => {
      end();
      gone.abort();
    };
    return new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
  } catch (cause) {
    end();
    throw noAnswer(cause, transport, signal);
  }
}
