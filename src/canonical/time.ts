import { ExoArmurError } from "../errors.js";

const dayMs = 86_400_000;

/** Last millisecond of the year 9999, the last with a four-digit year. */
const lastMs = 253_402_300_799_999;

/**
 * RFC 3339 in UTC with milliseconds, such as `2026-01-31T09:05:00.000Z`, of integer milliseconds since the Unix epoch.
 * Arithmetic alone, so every engine agrees. Throws EXO_SCHEMA outside the years 1970 to 9999.
 */
export function formatTime(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0 || ms > lastMs) {
    throw new ExoArmurError("EXO_SCHEMA", `A time is integer milliseconds of the years 1970 to 9999, not ${ms}.`);
  }
  const { year, month, day } = civilFromDays(Math.floor(ms / dayMs));
  const rest = ms % dayMs;
  const clock = [Math.floor(rest / 3_600_000), Math.floor(rest / 60_000) % 60, Math.floor(rest / 1000) % 60];
  const [hour, minute, second] = clock.map((part) => digits(part, 2));
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}T${hour}:${minute}:${second}.${digits(rest % 1000, 3)}Z`;
}

/**
 * The exact inverse of formatTime: milliseconds since the Unix epoch. Throws EXO_SCHEMA for any text formatTime does
 * not give: other offsets, lower case, no or other fractions, leap seconds, days a month lacks.
 */
export function parseTime(text: string): number {
  const parts = form.exec(text);
  if (parts !== null) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, milli = 0] = parts.slice(1).map(Number);
    const days = daysFromCivil(year, month, day);
    const ms = days * dayMs + hour * 3_600_000 + minute * 60_000 + second * 1000 + milli;
    if (ms >= 0 && ms <= lastMs && formatTime(ms) === text) return ms;
  }
  throw new ExoArmurError(
    "EXO_SCHEMA",
    "A time is RFC 3339 in UTC with milliseconds, such as 2026-01-31T09:05:00.000Z.",
  );
}

/** True when parseTime accepts the text. */
export function isTime(text: string): boolean {
  try {
    parseTime(text);
    return true;
  } catch {
    return false;
  }
}

const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z$/;

function digits(value: number, length: number): string {
  return String(value).padStart(length, "0");
}

// Both use years that begin on 1 March, so that the leap day is a year's last: a 400-year era has 146,097 days, and
// day 719,468 of era 0 is 1970-01-01.
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day };
}

function daysFromCivil(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
