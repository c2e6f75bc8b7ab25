import type { JsonValue } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, envelopeSchema, payloadTypes } from "../contracts/dsse.js";
import { ExoArmurError, isExoArmurError } from "../errors.js";
import { writeBundle } from "../home/bundles.js";
import { finishOrder, hasOrders, type InboxOrder, isWaiting, type OrderOutcome, takeOrders } from "../home/inbox.js";
import type { HomePaths } from "../home/paths.js";
import type { ProxyPipeline } from "../pipeline/proxy-pipeline.js";
import type { ExecutionResult } from "../pipeline/types.js";
import type { Logger } from "../ports.js";

/**
 * Carries out the signed orders that other processes post to a home's inbox: approval grants, kill switches, trust
 * scores, resolutions and drops of materials. The file is only a carrier: every order is verified by the pipeline as if it had come any other way.
 */
export class OrderDesk {
  readonly #paths: HomePaths;
  readonly #logger: Logger;
  readonly #inHand = new Map<string, Promise<void>>();
  #pipeline: ProxyPipeline | null = null;

  constructor(paths: HomePaths, logger: Logger) {
    this.#paths = paths;
    this.#logger = logger;
  }

  /** Starts taking orders. */
  open(pipeline: ProxyPipeline): void {
    this.#pipeline = pipeline;
  }

  /**
   * Takes what waits. Resolves when every kill switch among it is carried out; runs that a grant starts go on behind.
   */
  async takeOrders(): Promise<void> {
    const pipeline = this.#pipeline;
    if (pipeline === null || !hasOrders(this.#paths)) return;
    const waitFor: Promise<void>[] = [];
    for (const order of await takeOrders(this.#paths)) {
      // While the files were read the desk may have closed, or another call of this may have answered the order.
      if (this.#pipeline === null) break;
      if (!this.#inHand.has(order.name) && !isWaiting(this.#paths, order.name)) continue;
      let work = this.#inHand.get(order.name);
      if (work === undefined) {
        work = this.#carryOut(order, pipeline).finally(() => this.#inHand.delete(order.name));
        this.#inHand.set(order.name, work);
      }
      if (isKillSwitch(order)) waitFor.push(work);
    }
    await Promise.all(waitFor);
  }

  /** Resolves when no order is in hand. */
  async idle(): Promise<void> {
    this.#pipeline = null;
    await Promise.all(this.#inHand.values());
  }

  async #carryOut(order: InboxOrder, pipeline: ProxyPipeline): Promise<void> {
    let outcome: OrderOutcome;
    try {
      outcome = { ok: true, result: await this.#apply(readOrder(order), pipeline) };
    } catch (error) {
      const known = isExoArmurError(error);
      if (!known) this.#logger.log("error", `order ${order.name} failed`, { error: String(error) });
      outcome = {
        ok: false,
        code: known ? error.code : "EXO_INTERNAL",
        message: known ? error.message : "the owner failed",
      };
    }
    try {
      await finishOrder(this.#paths, order.name, outcome);
    } catch (error) {
      this.#logger.log("error", `the result of order ${order.name} could not be written`, { error: String(error) });
    }
  }

  async #apply(envelope: Envelope, pipeline: ProxyPipeline): Promise<JsonValue> {
    switch (envelope.payloadType) {
      case payloadTypes.approvalGrant:
        return await this.#summarise(await pipeline.decide(envelope));
      case payloadTypes.killSwitch: {
        const { global, tenants, epoch } = await pipeline.switchKill(envelope);
        return { global, tenants: { ...tenants }, epoch };
      }
      case payloadTypes.trustScore: {
        const { tenantId, actorId, score } = await pipeline.setTrustScore(envelope);
        return { tenantId, actorId, score };
      }
      case payloadTypes.materialsDrop:
        return { ...(await pipeline.dropMaterials(envelope)) };
      case payloadTypes.resolution:
        return await this.#summarise(await pipeline.resolve(envelope), pipeline);
      default:
        throw new ExoArmurError("EXO_ORDER", `no order has the payload type ${envelope.payloadType}`);
    }
  }

  /** What the process that posted the order is told; the bundle is left in the home for it. */
  async #summarise(result: ExecutionResult, pipeline?: ProxyPipeline): Promise<JsonValue> {
    const bundle = "bundle" in result ? result.bundle : pipeline?.bundle(result.intentId);
    const path = bundle === undefined ? null : await writeBundle(this.#paths, result.intentId, bundle.bytes());
    const reason = "reason" in result ? { code: result.reason.code, message: result.reason.message } : null;
    const held = result.status === "approval_pending" ? result.heldUntil : undefined;
    const { status, intentId } = result;
    return { status, intentId, ...(held === undefined ? {} : { heldUntil: held }), bundle: path, reason };
  }
}

function readOrder(order: InboxOrder): Envelope {
  return parseContract(envelopeSchema, parseCanonical(order.bytes), `order ${order.name}`);
}

function isKillSwitch(order: InboxOrder): boolean {
  try {
    return readOrder(order).payloadType === payloadTypes.killSwitch;
  } catch {
    // Malformed orders are refused where they are carried out; nothing waits for them.
    return false;
  }
}
