/** Value types as their bytes in the binary. */
export const valueTypes: Readonly<Record<number, string>> = {
  127: "i32",
  126: "i64",
  125: "f32",
  124: "f64",
  123: "v128",
  112: "funcref",
  111: "externref",
};

/** 8-byte words a value of this type takes on a stack. */
export function wordsOf(type: number): 1 | 2 {
  return type === 123 ? 2 : 1;
}

/** A function type; each byte is a value type. */
export type FuncType = { readonly params: Uint8Array; readonly results: Uint8Array };

/** One import. `typeIndex` is -1 for everything but functions. */
export type ImportEntry = {
  readonly module: string;
  readonly name: string;
  readonly kind: "function" | "table" | "memory" | "global" | "tag";
  readonly typeIndex: number;
  readonly offset: number;
};

/** Sizes of a memory (pages) or table (elements). */
export type Limits = { readonly initial: number; readonly maximum: number | null; readonly offset: number };

/** A table with its element type byte. */
export type TableEntry = Limits & { readonly type: number };

/** One export; `index` counts within its kind, imports first. `indexAt` to `end` is where the index stands. */
export type ExportEntry = {
  readonly name: string;
  readonly kind: "function" | "table" | "memory" | "global";
  readonly index: number;
  readonly offset: number;
  readonly indexAt: number;
  readonly end: number;
};

/** Bytes from `start` up to `end`. */
export type Range = { readonly start: number; readonly end: number };

/** A function index in the binary that names an import; metering puts the import's thunk in its place. */
export type ImportReference = Range & { readonly index: number };

/** What the sections say. Function indices count imports first, as in the binary. */
export type ModuleShape = {
  readonly bytes: Uint8Array;
  readonly types: FuncType[];
  readonly imports: ImportEntry[];
  /** Type index of every function, imported ones first. */
  readonly functionTypes: number[];
  importedFunctions: number;
  readonly tables: TableEntry[];
  readonly memories: Limits[];
  readonly globals: { readonly type: number; readonly mutable: boolean }[];
  readonly exports: ExportEntry[];
  start: number | null;
  /** Entries of all element segments. */
  elementEntries: number;
  /** Indices of the functions that element segments and initialisers of globals refer to, as often as they do. */
  readonly references: number[];
  /** Defined functions' bodies, without their size. */
  readonly bodies: Range[];
  /** Payload of every section but custom ones, by section id. */
  readonly sections: Map<number, Range>;
  /** The first 100 custom sections; `size` in bytes. */
  readonly customSections: { readonly name: string; readonly size: number }[];
  /** References to imports in the globals, exports and elements sections, in byte order. */
  readonly importReferences: ImportReference[];
};

/** An empty shape over `bytes`. */
export function emptyShape(bytes: Uint8Array): ModuleShape {
  return {
    bytes,
    types: [],
    imports: [],
    functionTypes: [],
    importedFunctions: 0,
    tables: [],
    memories: [],
    globals: [],
    exports: [],
    start: null,
    elementEntries: 0,
    references: [],
    bodies: [],
    sections: new Map(),
    customSections: [],
    importReferences: [],
  };
}

/** Type of a function by its index, or undefined when there is none. */
export function typeOfFunction(shape: ModuleShape, index: number): FuncType | undefined {
  const type = shape.functionTypes[index];
  return type === undefined ? undefined : shape.types[type];
}

/** Names of value types, such as `["i64", "i32"]`. */
export function nameTypes(types: Uint8Array): string[] {
  return Array.from(types, (type) => valueTypes[type] ?? "unknown");
}

/** `(i64, i32) -> (i64)`. */
export function showSignature(params: readonly string[], results: readonly string[]): string {
  return `(${params.join(", ")}) -> (${results.join(", ")})`;
}

const sizes = new WeakMap<FuncType, { readonly params: number; readonly results: number }>();

/** 8-byte words of the parameters, and of the results, of a type by its index; counted once. */
export function wordsOfType(shape: ModuleShape, index: number): { readonly params: number; readonly results: number } {
  const type = shape.types[index] as FuncType;
  const known = sizes.get(type);
  if (known !== undefined) {
    return known;
  }
  const sum = (types: Uint8Array): number => types.reduce((words, each) => words + wordsOf(each), 0);
  const size = { params: sum(type.params), results: sum(type.results) };
  sizes.set(type, size);
  return size;
}

/** A text that two function types share exactly when they are the same. */
export function typeKey(params: Uint8Array, results: Uint8Array): string {
  return `${String.fromCharCode(...params)}>${String.fromCharCode(...results)}`;
}
