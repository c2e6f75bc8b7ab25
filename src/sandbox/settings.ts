/** Version of the SDK that package.json pins; a test compares the two. */
export const extismVersion = "2.0.0-rc13";

/** Most jobs that wait when all workers are busy. */
export const defaultQueueBound = 1024;

/** Most bytes of input that wait with them: 256 MiB. */
export const defaultQueueBytes = 268_435_456;

/** A pool that has had work for this long starts a worker ahead of need. One command's single run is over by then. */
export const spareDelayMs = 150;

/** Compiled modules kept, on the main thread and in each worker. */
export const moduleCacheSize = 64;

/** Bytes of sealed modules whose compiled forms are kept: 64 MiB. The newest is kept whatever its size. */
export const moduleCacheBytes = 67_108_864;

/**
 * Native stack of a worker thread; only what is touched takes memory. The greatest counted stack of a guest must fit into
 * it three times, also where the engine puts the frames of small functions into those of their callers, and whatever
 * flags the process was started with (spec/sandbox.md).
 */
export const workerStackMb = 128;

/** The same of a child process, whose flags are ours. It counts against the child's memory. */
export const processStackMb = 64;

/** JavaScript heap of a worker. The memory and the blocks of a guest are outside it. */
export const workerHeapMb = 256;

/** Longest wait for a worker to come up, and for a module to compile. */
export const startTimeoutMs = 30_000;

/** After the deadline: longest wait for the call under way to settle, so that its end can be recorded. */
export const callGraceMs = 250;

/** Longest wait for a terminated worker to be gone before its job is answered. */
export const terminateTimeoutMs = 2000;

/** A worker waits this long beyond a job's deadline for an answer, then gives the job up by itself. */
export const answerSlackMs = 60_000;

/** Memory of a child process beyond what it starts with, in MiB. */
export const defaultMemoryMb = 1024;
