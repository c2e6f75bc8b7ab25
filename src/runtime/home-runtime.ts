import { formerVkeys } from "../contracts/trust.js";
import { type AnchorWriter, createAnchorWriter, requireAnchored } from "../home/anchor.js";
import { sweepInbox } from "../home/inbox.js";
import { watchInbox } from "../home/inbox-watch.js";
import { requireCurrent } from "../home/keyring.js";
import { killFileExists } from "../home/kill-file.js";
import { type Home, openHome } from "../home/open.js";
import { acquireOwner } from "../home/owner-lock.js";
import type { HomePaths } from "../home/paths.js";
import { readPlugins } from "../home/plugins.js";
import { markPlugins, watchPlugins } from "../home/plugins-watch.js";
import type { Ledger } from "../log/ledger-types.js";
import type { Store } from "../ports.js";
import { openLmdbStore } from "../stores/lmdb.js";
import { addPlugins, type Core, changePlugin, openCore } from "./core.js";
import { safetyUnder } from "./features.js";
import { signedPolicy } from "./home-policy.js";
import { OrderDesk } from "./order-desk.js";
import { homeSecrets } from "./secrets.js";
import { readShadow } from "./shadow.js";
import type { World } from "./system.js";
import { createWitnesses, type Witnesses } from "./witnesses.js";

/** A runtime's parts over a home, and what the home adds to them. */
export type HomeCore = Core & { readonly home: Home; readonly store: Store; readonly inDoubt: readonly string[] };

const expirySweepMs = 1000;

/**
 * Opens a home as its owner: lock, store, anchor, pipeline, policy, plugins, inbox. Whatever fails on the way gives
 * back what was taken. EXO_FLAG, EXO_HOME_*, EXO_STORE*, EXO_POLICY_*, and the errors of the files people write.
 */
export async function openHomeCore(dir: string, world: World): Promise<HomeCore> {
  const home = await openHome(dir, { write: true, env: world.env });
  const safety = safetyUnder(home.resolved.safety, world.env, home.resolved.features);
  const closers: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const lock = await acquireOwner(home.paths, { pid: process.pid, clock: world.clock, entropy: world.entropy });
    closers.push(() => lock.release());
    closers.push(() => home.closeKeys());
    const store = await openLmdbStore(home.paths.data);
    closers.push(() => store.close());
    const anchor = createAnchorWriter(home.paths);
    closers.push(() => anchor.flush());
    const desk = new OrderDesk(home.paths, world.logger);
    const { resolved } = home;
    const signers = { runtime: await home.signer("runtime"), log: await home.signer("log") };
    let witnesses: Witnesses | undefined;
    const core = await openCore({
      world,
      store,
      origin: home.log.origin,
      formerVkeys: formerVkeys(home.trust, home.log),
      signers,
      saltKey: await home.saltKey(),
      deployment: {
        cellId: resolved.cellId,
        defaultTenant: resolved.tenantId,
        tenants: resolved.tenants,
        grants: resolved.grants,
        safety,
        trust: home.trust,
        requireSignatures: resolved.requireSignatures,
      },
      roots: resolved.roots,
      governor: { killed: () => killFileExists(home.paths), takeOrders: () => desk.takeOrders() },
      sandbox: resolved.sandbox,
      http: resolved.http,
      counterparties: resolved.counterparties,
      shadow: await readShadow(resolved.shadowFile, world),
      secrets: homeSecrets(home.paths, resolved.secrets, world.env),
      onLedger: (ledger) => {
        witnesses = witnessesOf(home, ledger, world);
        const kept = anchored(ledger, store, home.paths, { anchor, witnesses });
        for (const role of ["runtime", "log"] as const) requireCurrent(home.trust, role, signers[role], ledger.size);
        return kept;
      },
    });
    closers.push(() => core.close());
    closers.push(() => witnesses?.close());
    await witnesses?.start();
    const inDoubt = await core.pipeline.open();
    const { envelope, file } = await signedPolicy(home, store, core.ledger.size, world.logger);
    await core.pipeline.activatePolicy(envelope, file);
    // Marked before they are read: what changes meanwhile is found changed.
    const marks = await markPlugins(home.paths);
    await addPlugins(core.pipeline, await readPlugins(home), world);
    await sweepInbox(home.paths, world.clock);
    desk.open(core.pipeline);
    const watch = watchInbox(home.paths, () => void desk.takeOrders());
    closers.push(() => watch.close());
    closers.push(() => desk.idle());
    const plugins = watchPlugins(home.paths, marks, async (change) => await changePlugin(core.pipeline, change, world));
    closers.push(() => plugins.close());
    const sweep = setInterval(() => void expire(core, world), expirySweepMs).unref();
    closers.push(() => clearInterval(sweep));
    await desk.takeOrders();
    return { ...core, home, store, inDoubt, close: unwind };
  } catch (error) {
    await unwind().catch((cause: unknown) =>
      world.logger.log("error", "closing a half-opened home failed", { cause: String(cause) }),
    );
    throw error;
  }
}

async function expire(core: Core, world: World): Promise<void> {
  try {
    await core.pipeline.expireApprovals();
  } catch (error) {
    world.logger.log("error", "expired approvals could not be closed", { error: String(error) });
  }
}

function witnessesOf({ resolved, trust }: Home, ledger: Ledger, { logger }: World): Witnesses {
  const { witnesses } = resolved;
  const quorum = Math.max(1, Math.min(trust.witnesses.threshold, witnesses.length));
  return createWitnesses({ ledger, witnesses, quorum, logger });
}

type Published = { readonly anchor: AnchorWriter; readonly witnesses: Witnesses };

/**
 * A ledger whose every new checkpoint goes to the anchor and the witnesses. Refuses a store that is behind the anchor,
 * and all work once a witness contradicted the store.
 */
function anchored(ledger: Ledger, store: Store, paths: HomePaths, { anchor: writer, witnesses }: Published): Ledger {
  requireAnchored(store, paths);
  let last = "";
  return {
    ...ledgerView(ledger),
    get size() {
      return ledger.size;
    },
    transact: async (operation) => {
      const contradiction = witnesses.contradiction();
      if (contradiction !== undefined) throw contradiction;
      const value = await ledger.transact(operation);
      const note = ledger.checkpoint();
      if (note !== last) {
        writer.offer(note);
        witnesses.offer();
      }
      last = note;
      return value;
    },
  };
}

function ledgerView(ledger: Ledger): Omit<Ledger, "size" | "transact"> {
  return {
    checkpoint: () => ledger.checkpoint(),
    prove: (index, size) => ledger.prove(index, size),
    consistency: (oldSize, newSize) => ledger.consistency(oldSize, newSize),
    leaf: (index) => ledger.leaf(index),
    watch: (grown) => ledger.watch(grown),
    close: () => ledger.close(),
  };
}
