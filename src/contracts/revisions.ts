/** Revision of the proof bundle's layout. */
export const bundleRevision = 1;

/** Revision of the guest ABI: kernel functions, capability calls and their msgpack documents. */
export const abiRevision = 1;
