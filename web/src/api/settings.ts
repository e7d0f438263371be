// What the settings screens ask of the server.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { body, headers, http, problemOf, type Shapes } from "./client";

export const usePeople = () =>
  useQuery({ queryKey: ["people"], queryFn: () => body(http.GET("/v1/people")), select: (page) => page.people });

export const useKeys = () =>
  useQuery({ queryKey: ["keys"], queryFn: () => body(http.GET("/v1/keys")), select: (page) => page.keys });

export const useTenants = (enabled = true) =>
  useQuery({
    enabled,
    queryKey: ["tenants"],
    queryFn: () => body(http.GET("/v1/tenants")),
    select: (page) => page.tenants,
  });

export const useLimits = () =>
  useQuery({ queryKey: ["limits"], queryFn: () => body(http.GET("/v1/limits")), select: (page) => page.limits });

export type UsagePart = "day" | "tenant" | "project" | "key" | "kind";

export const useUsage = (month: string, by: UsagePart[]) =>
  useQuery({
    queryKey: ["usage", month, by],
    // the same address gives a table too, which the types cannot tell apart
    queryFn: () => body(http.GET("/v1/usage", { params: { query: { month, by } } })) as Promise<Shapes["UsageReply"]>,
    select: (page) => page.usage,
  });

/** The month as a table for a spreadsheet. */
export async function readUsageCsv(month: string): Promise<Blob> {
  const reply = await fetch(`/v1/usage?month=${encodeURIComponent(month)}`, {
    headers: { ...headers(), Accept: "text/csv" },
  });
  if (!reply.ok) throw problemOf(reply.status, await reply.json().catch(() => undefined));
  return reply.blob();
}

export const AUDIT_PAGE = 50;

export const useAudit = (before: number | null, project: string | null) =>
  useQuery({
    queryKey: ["audit", before, project],
    queryFn: () =>
      body(
        http.GET("/v1/audit", {
          params: {
            query: { latest: true, limit: AUDIT_PAGE, ...(before ? { before } : {}), ...(project ? { project } : {}) },
          },
        }),
      ),
  });

export const useVerifyAudit = () => useMutation({ mutationFn: () => body(http.GET("/v1/audit/verify")) });

/** A verb that changes what the query `shown` gives. */
function useVerb<In, Out>(shown: string, verb: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: verb, onSuccess: () => client.invalidateQueries({ queryKey: [shown] }) });
}

export const useAddPerson = () =>
  useVerb("people", (wish: Shapes["PersonRequest"]) => body(http.POST("/v1/people", { body: wish })));

export const useChangePerson = () =>
  useVerb("people", ({ id, ...wish }: { id: string; role?: Shapes["PersonRow"]["role"]; is_disabled?: boolean }) =>
    body(
      http.PATCH("/v1/people/{person_id}", {
        params: { path: { person_id: id } },
        body: wish as Shapes["PersonChange"],
      }),
    ),
  );

export const useResetPerson = () =>
  useVerb("people", (id: string) =>
    body(http.POST("/v1/people/{person_id}/reset", { params: { path: { person_id: id } } })),
  );

export const useAddKey = () =>
  useVerb("keys", (wish: Partial<Shapes["KeyRequest"]>) =>
    body(http.POST("/v1/keys", { body: wish as Shapes["KeyRequest"] })),
  );

export const useRotateKey = () =>
  useVerb("keys", (id: string) => body(http.POST("/v1/keys/{key_id}/rotate", { params: { path: { key_id: id } } })));

export const useRevokeKey = () =>
  useVerb("keys", (id: string) => body(http.POST("/v1/keys/{key_id}/revoke", { params: { path: { key_id: id } } })));

export const useAddTenant = () =>
  useVerb("tenants", (wish: Shapes["TenantRequest"]) => body(http.POST("/v1/tenants", { body: wish })));

export const useChangeTenant = () =>
  useVerb("tenants", ({ id, is_disabled }: { id: string; is_disabled: boolean }) =>
    body(
      http.PATCH("/v1/tenants/{tenant}", {
        params: { path: { tenant: id } },
        body: { is_disabled } as Shapes["TenantChange"],
      }),
    ),
  );

export type LimitWish = { subject: "key" | "tenant"; id: string } & Shapes["LimitRequest"];

/** All of a limit: what is null has none. */
export const useSetLimit = () =>
  useVerb("limits", ({ subject, id, ...wish }: LimitWish) => {
    return subject === "key"
      ? body(http.PUT("/v1/limits/key/{key_id}", { params: { path: { key_id: id } }, body: wish }))
      : body(http.PUT("/v1/limits/tenant/{tenant}", { params: { path: { tenant: id } }, body: wish }));
  });
