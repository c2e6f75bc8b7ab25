/** Methods of the capability `http_request` (spec/capabilities.md). */
export const httpMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Methods that ask for nothing to be changed (RFC 9110, 9.2.1). */
export const safeMethods = ["GET", "HEAD", "OPTIONS"] as const satisfies readonly (typeof httpMethods)[number][];

/** True for the name of a method that asks for nothing to be changed. */
export function isSafeMethod(method: unknown): boolean {
  return safeMethods.some((safe) => safe === method);
}
