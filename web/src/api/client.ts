// The one way to the server: typed by our OpenAPI document, in the reader's language, with the key if one was given.
import createClient from "openapi-fetch";
import i18n from "i18next";
import type { components, paths } from "./schema";

export type Shapes = components["schemas"];
export type ProblemBody = Shapes["Problem"];

const KEY = "feilun.key"; // in sessionStorage: gone with the tab; whoever signs in has a cookie that no script sees
const listeners = new Set<() => void>();

/** What the server refused or could not do, in its own words. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly fields: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

export function headers(): Record<string, string> {
  const key = sessionStorage.getItem(KEY);
  // the last one proves to the server that our own page asks: no form and no other site can send it
  return {
    "Accept-Language": i18n.language,
    "X-Feilun-Console": "1",
    ...(key ? { Authorization: `Bearer ${key}` } : {}),
  };
}

export function keepKey(key: string | null): void {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export const hasKey = (): boolean => sessionStorage.getItem(KEY) !== null;

/** Be told when the server no longer knows who asks. */
export function onNobody(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const client = createClient<paths>({ baseUrl: location.origin, fetch: (request: Request) => fetch(request) });
client.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(headers())) request.headers.set(name, value);
    return request;
  },
});

export const http = client;

/** The body of a reply, or its refusal as an error. */
export async function body<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const reply = await asked.catch(() => {
    throw new Problem("console.offline", i18n.t("problem.offline"), 0);
  });
  if (!reply.response.ok) throw problemOf(reply.response.status, reply.error);
  return reply.data as NonNullable<T>;
}

export function problemOf(status: number, told: unknown): Problem {
  if (status === 401) listeners.forEach((listener) => listener());
  const found = told as Partial<ProblemBody> | undefined;
  if (!found?.code || !found.message) return new Problem("console.unreadable", i18n.t("problem.unreadable"), status);
  return new Problem(found.code, found.message, status, found.fields ?? {});
}
