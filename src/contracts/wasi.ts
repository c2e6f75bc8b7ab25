/**
 * WASI preview1 as admission and sandbox see it: every function with its signature, its fuel and what answers it
 * (spec/abi.md, WASI). There are no arguments, no environment, no files and no sockets.
 */

/** Import module of WASI preview1. */
export const wasiModule = "wasi_snapshot_preview1";

/** What a sealed module imports in its place: a name that no loader and no host gives the real functions to. */
export const sealedWasiModule = "exo:wasi_preview1";

/** Error numbers of WASI preview1 that the host answers with. */
export const wasiErrno = {
  success: 0,
  acces: 2,
  badf: 8,
  fault: 21,
  inval: 28,
  io: 29,
  notdir: 54,
  notsock: 57,
  notsup: 58,
  spipe: 70,
} as const;

/** Name of an error number. */
export type WasiErrno = keyof typeof wasiErrno;

/**
 * How a function is answered: `host` by code of its own; `always` with one error number; `stream` with `badf` unless
 * the argument `fdArg` (0 where none is named) is an open standard stream, and with this error number if it is.
 */
export type WasiAnswer =
  | { readonly kind: "host" }
  | { readonly kind: "always"; readonly errno: WasiErrno }
  | { readonly kind: "stream"; readonly errno: WasiErrno; readonly fdArg?: number };

/** One function. All but `proc_exit` return an i32, the error number. */
export type WasiRow = {
  readonly name: string;
  readonly params: readonly ("i32" | "i64")[];
  readonly results: readonly "i32"[];
  readonly answer: WasiAnswer;
  readonly capability: "clock_now" | "random_bytes" | "log" | null;
  readonly lengthArg?: number;
  readonly lengthCost?: { readonly multiply: number; readonly shift: number };
};

type Extra = Partial<Pick<WasiRow, "capability" | "lengthArg" | "lengthCost" | "results">>;

/** `params` spells the types: `i` for i32, `l` for i64. */
function row(name: string, params: string, answer: WasiAnswer, extra: Extra = {}): WasiRow {
  const types = Array.from(params, (letter) => (letter === "l" ? "i64" : "i32"));
  return { name, params: types, results: ["i32"], answer, capability: null, ...extra };
}

const host: WasiAnswer = { kind: "host" };
const always = (errno: WasiErrno): WasiAnswer => ({ kind: "always", errno });
const stream = (errno: WasiErrno, fdArg = 0): WasiAnswer => ({ kind: "stream", errno, fdArg });

/** Reading an iovec costs the host far more than the call itself does. */
const perVector = { multiply: 16, shift: 0 } as const;

/** Every function of WASI preview1. */
export const wasiRows: readonly WasiRow[] = [
  row("args_get", "ii", host),
  row("args_sizes_get", "ii", host),
  row("environ_get", "ii", host),
  row("environ_sizes_get", "ii", host),
  row("clock_res_get", "ii", host),
  row("clock_time_get", "ili", host, { capability: "clock_now" }),
  row("fd_advise", "illi", stream("spipe")),
  row("fd_allocate", "ill", stream("notsup")),
  row("fd_close", "i", host),
  row("fd_datasync", "i", stream("inval")),
  row("fd_fdstat_get", "ii", host),
  row("fd_fdstat_set_flags", "ii", stream("notsup")),
  row("fd_fdstat_set_rights", "ill", stream("notsup")),
  row("fd_filestat_get", "ii", host),
  row("fd_filestat_set_size", "il", stream("inval")),
  row("fd_filestat_set_times", "illi", stream("notsup")),
  row("fd_pread", "iiili", stream("spipe")),
  row("fd_prestat_dir_name", "iii", always("badf")),
  row("fd_prestat_get", "ii", always("badf")),
  row("fd_pwrite", "iiili", host, { capability: "log", lengthArg: 2, lengthCost: perVector }),
  row("fd_read", "iiii", host),
  row("fd_readdir", "iiili", stream("notdir")),
  row("fd_renumber", "ii", stream("notsup")),
  row("fd_seek", "ilii", stream("spipe")),
  row("fd_sync", "i", stream("inval")),
  row("fd_tell", "ii", stream("spipe")),
  row("fd_write", "iiii", host, { capability: "log", lengthArg: 2, lengthCost: perVector }),
  row("path_create_directory", "iii", stream("notdir")),
  row("path_filestat_get", "iiiii", stream("notdir")),
  row("path_filestat_set_times", "iiiilli", stream("notdir")),
  row("path_link", "iiiiiii", stream("notdir")),
  row("path_open", "iiiiillii", stream("notdir")),
  row("path_readlink", "iiiiii", stream("notdir")),
  row("path_remove_directory", "iii", stream("notdir")),
  row("path_rename", "iiiiii", stream("notdir")),
  row("path_symlink", "iiiii", stream("notdir", 2)),
  row("path_unlink_file", "iii", stream("notdir")),
  row("poll_oneoff", "iiii", always("notsup")),
  row("proc_exit", "i", host, { results: [] }),
  row("proc_raise", "i", always("notsup")),
  row("random_get", "ii", host, { capability: "random_bytes", lengthArg: 1 }),
  row("sched_yield", "", always("success")),
  row("sock_accept", "iii", stream("notsock")),
  row("sock_recv", "iiiiii", stream("notsock")),
  row("sock_send", "iiiii", stream("notsock")),
  row("sock_shutdown", "ii", stream("notsock")),
];
