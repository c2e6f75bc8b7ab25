/** Types of build-kernel.mjs, for the test of its result. */
export function buildKernel(): Promise<string>;
