/**
 * Freezes plain objects and arrays all the way down and returns the same value. For JSON values, whose depth is
 * bounded and which have no cycles; typed arrays cannot be frozen and are left as they are.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    // A frozen shell says nothing of what it holds, so there is no shortcut for frozen objects.
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
