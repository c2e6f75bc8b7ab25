import type { ErrorCode } from "../../../errors.js";
import type { PerformOutcome } from "../../../ports.js";

/** A definite failure inside a file performer; thrown and caught in this folder alone. */
export class FsFault extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A fault for a path that leads through or to a symbolic link. */
export function linkFault(): FsFault {
  return new FsFault("EXO_FS_PATH", "the path leads through a symbolic link");
}

/** A fault for a run that is over before anything was changed. */
export function lateFault(): FsFault {
  return new FsFault("EXO_TIMED_OUT", "the run ended before the operation");
}

/** A fault for content or a file of more bytes than the grant allows. */
export function tooLarge(maxBytes: number): FsFault {
  return new FsFault("EXO_FS_SIZE", `more than ${maxBytes} bytes; read or write in parts, or grant maxBytes`);
}

/** Error numbers with a meaning of their own. Texts are fixed: the system's own name host paths. */
const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ["EXO_FS_NOT_FOUND", "no such file or directory"],
  ENOTDIR: ["EXO_FS_KIND", "part of the path is not a directory"],
  EISDIR: ["EXO_FS_KIND", "the path is a directory"],
  ENXIO: ["EXO_FS_KIND", "the path is not a regular file"],
  ELOOP: ["EXO_FS_PATH", "the path leads through a symbolic link"],
  EEXIST: ["EXO_FS_EXISTS", "the file exists already"],
  EFBIG: ["EXO_FS_SIZE", "the file would be larger than the file system takes"],
  EXDEV: ["EXO_FS_IO", "the two paths are on different file systems"],
  EACCES: ["EXO_FS_IO", "permission denied"],
  EPERM: ["EXO_FS_IO", "operation not permitted"],
  EROFS: ["EXO_FS_IO", "the file system is read-only"],
  ENOSPC: ["EXO_FS_IO", "no space left"],
  EDQUOT: ["EXO_FS_IO", "the disk quota is used up"],
  ENAMETOOLONG: ["EXO_FS_IO", "the name is too long"],
  EMFILE: ["EXO_FS_IO", "too many open files"],
  ENFILE: ["EXO_FS_IO", "too many open files"],
};

/**
 * Error numbers after which a rename, link or unlink has certainly not happened. Everything else (EIO, ESTALE, an error
 * without a number) leaves it unknown.
 */
const certain: ReadonlySet<string> = new Set([
  ...Object.keys(meanings),
  "EBUSY",
  "EINVAL",
  "EMLINK",
  "ENOTEMPTY",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "ETXTBSY",
]);

/** The system's error number, such as `ENOENT`, or "". */
export function errnoOf(error: unknown): string {
  const code: unknown = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : "";
}

/** The outcome of an operation that certainly did not happen. */
export function errorOutcome(error: unknown): PerformOutcome {
  if (error instanceof FsFault) return { outcome: "error", code: error.code, message: error.message };
  const [code, message] = meanings[errnoOf(error)] ?? ["EXO_FS_IO", "the operating system refused the operation"];
  return { outcome: "error", code, message };
}

/** The outcome of a step that changes a directory and threw: an error only where it certainly did not happen. */
export function changeOutcome(error: unknown): PerformOutcome {
  return error instanceof FsFault || certain.has(errnoOf(error)) ? errorOutcome(error) : unknownOutcome();
}

/** The outcome of a change that may have happened. */
export function unknownOutcome(): PerformOutcome {
  return { outcome: "unknown", code: "EXO_EFFECT_UNKNOWN", message: "the change may have been made" };
}
