// Figures as people read them, in the language of the page.
import i18n from "i18next";

export const count = (n: number): string => n.toLocaleString(i18n.language);

export const percent = (share: number, digits = 1): string =>
  share.toLocaleString(i18n.language, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });

export const points = (share: number): string =>
  (share * 100).toLocaleString(i18n.language, { maximumFractionDigits: 1, signDisplay: "exceptZero" });

export const decimal = (value: number, digits = 1): string =>
  value.toLocaleString(i18n.language, { maximumFractionDigits: digits });

/** The server's times are UTC, with or without saying so. */
export function moment(at: string): Date {
  return new Date(/(Z|[+-]\d\d:\d\d)$/.test(at) ? at : `${at}Z`);
}

export const when = (at: string): string =>
  moment(at).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" });

export function bytes(n: number): string {
  if (n < 1e6) return i18n.t("unit.kb", { n: decimal(n / 1e3, 0) });
  return n < 1e9 ? i18n.t("unit.mb", { n: decimal(n / 1e6) }) : i18n.t("unit.gb", { n: decimal(n / 1e9) });
}

/** The time of day, to the second. */
export const clock = (at: string): string => moment(at).toLocaleTimeString(i18n.language, { timeStyle: "medium" });

export function seconds(s: number): string {
  if (s < 60) return i18n.t("unit.seconds", { n: decimal(s, s < 10 ? 1 : 0) });
  return i18n.t("unit.minutes", { m: Math.floor(s / 60), s: Math.round(s % 60) });
}

const PLAIN_METRICS = new Set(["log_loss"]);
export const metric = (name: string, value: number): string =>
  PLAIN_METRICS.has(name) ? decimal(value, 3) : percent(value);
