import type { z } from "zod";
import { follow, type LiveMessage } from "../../client/live.js";
import { type Ask, ask, readAnswer, type Transport } from "../../client/transport.js";
import { systemEntropy } from "../../crypto/random.js";
import { isExoArmurError } from "../../errors.js";

/** The control plane as the views ask it (spec/control-plane.md, Routes). Every method rejects with an ExoArmurError. */
export type Api = {
  readonly origin: string;
  /** The JSON answer of a route under its contract. */
  get<T>(schema: z.ZodType<T>, path: string, signal?: AbortSignal): Promise<T>;
  post<T>(schema: z.ZodType<T>, path: string, body: unknown, signal?: AbortSignal): Promise<T>;
  delete<T>(schema: z.ZodType<T>, path: string): Promise<T>;
  /** The bytes of an answer that is no JSON. */
  bytes(path: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** What is recorded from now on, over lost connections, until `signal` aborts. */
  follow(signal: AbortSignal): AsyncGenerator<LiveMessage>;
};

const requestIds = new WeakMap<Error, string>();

/** Id of the request that ended with an error, under which the control plane's log has it; undefined where none came. */
export function requestIdOf(error: unknown): string | undefined {
  return error instanceof Error ? requestIds.get(error) : undefined;
}

/** How a stream that broke off is taken up again. */
const patience = { attempts: Number.POSITIVE_INFINITY, firstMs: 500, mostMs: 15_000 };

/**
 * Asks a control plane with one credential, which stays in the memory of this page. `lost` is called when the control plane
 * does not know the credential any more.
 */
export function createApi(origin: string, token: string, lost: () => void): Api {
  const transport: Transport = { origin, token, fetch: (input, init) => fetch(input, init) };
  const asked = async (one: Ask): Promise<Uint8Array> => {
    let requestId: string | null = null;
    const noting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      requestId = response.headers.get("x-request-id");
      return response;
    };
    try {
      return await ask({ ...transport, fetch: noting }, one);
    } catch (error) {
      if (isExoArmurError(error)) {
        if (requestId !== null) requestIds.set(error, requestId);
        if (error.code === "EXO_AUTHENTICATION") lost();
      }
      throw error;
    }
  };
  return {
    origin,
    get: async (schema, path, signal) => readAnswer(schema, await asked({ path, signal })),
    post: async (schema, path, body, signal) => readAnswer(schema, await asked({ path, body, signal })),
    delete: async (schema, path) => readAnswer(schema, await asked({ path, method: "DELETE" })),
    bytes: async (path, signal) => await asked({ path, signal }),
    follow: (signal) => follow(transport, { signal }, patience, systemEntropy),
  };
}
