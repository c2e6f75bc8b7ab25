/**
 * Structural caps of admission (spec/sandbox.md). They keep every list, and the time to walk it, in proportion, and
 * stay below the engines' own limits so that metering never pushes a module over one.
 */
export const structuralLimits = {
  /** Default cap of the original's size, in bytes. */
  moduleBytes: 67_108_864,
  types: 10_000,
  /** Number of types times the bytes of their section: engines compare every type with every other. */
  typeBytes: 1_000_000_000,
  /** Parameters, and results, of one type. */
  arity: 1000,
  imports: 1000,
  functions: 500_000,
  tables: 100,
  globals: 100_000,
  exports: 100_000,
  elementSegments: 100_000,
  /** Entries of all element segments together. */
  elementEntries: 1_000_000,
  dataSegments: 100_000,
  /** Declared locals of one function. */
  locals: 50_000,
  /** Declared locals of all functions together: engines keep a list of each function's. */
  moduleLocals: 5_000_000,
  /** Labels of one br_table. */
  branchTargets: 65_520,
  /** Blocks inside blocks, in one function. */
  nesting: 10_000,
  /** Bytes of one function body after metering; the limit of the JavaScript API. */
  bodyBytes: 7_654_321,
  /** Words of one function's frame. */
  frameWords: 16_384,
  /** Greatest cap of linear memory, in 64 KiB pages. */
  memoryPages: 65_536,
  /** Greatest cap of all tables together, in elements. */
  tableElements: 10_000_000,
} as const;
