// Who is in front of the screen, and how they come and go.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import i18n from "i18next";
import { body, http, keepKey, Problem, type Shapes } from "./client";

export type Session = Shapes["SessionRow"];
const SESSION = ["session"];

const who = () => body(http.GET("/v1/session"));

/** A cookie that opens nothing any more is dropped by the first answer; what is true without it, the second one says. */
async function whoReally(): Promise<Session> {
  const first = await who();
  return first.kind === "nobody" ? who() : first;
}

export const useSession = () => useQuery({ queryKey: SESSION, queryFn: whoReally, staleTime: Infinity });

/** Whether the server knows whoever acts by a name, so that nobody is asked for theirs. */
export const useIsNamed = (): boolean => ["key", "person"].includes(useSession().data?.kind ?? "nobody");

export const useMay = (scope: Session["scopes"][number]): boolean => useSession().data?.scopes.includes(scope) ?? false;

function useEntering<In>(enter: (said: In) => Promise<Session>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: enter,
    onSuccess: (session) => {
      queries.setQueryData(SESSION, session);
      void queries.invalidateQueries();
    },
  });
}

export const useSignIn = () =>
  useEntering((said: Shapes["SignIn"]) => {
    keepKey(null); // a key goes before a cookie, and would hide who has just signed in
    return body(http.POST("/v1/session", { body: said }));
  });

/** A key for this tab, if it opens anything. */
export const useEnterKey = () =>
  useEntering(async (key: string) => {
    keepKey(key);
    const session = await who();
    if (session.kind !== "nobody") return session;
    keepKey(null);
    throw new Problem("auth.key_invalid", i18n.t("key.refused"), 401);
  });

export const useAccept = () =>
  useEntering((said: Shapes["Invitation"]) => {
    keepKey(null);
    return body(http.POST("/v1/session/invitation", { body: said }));
  });

export const useChangePassword = () =>
  useEntering((said: Shapes["PasswordChange"]) => body(http.PUT("/v1/session/password", { body: said })));

/** Out, and to a fresh page: nothing of what was shown stays in memory. */
export async function leave(): Promise<void> {
  keepKey(null);
  await http.DELETE("/v1/session");
  location.assign("/console/");
}
