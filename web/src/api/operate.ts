// What works in the workspace, its backups and its health, and the settings of a project.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { body, hasKey, headers, http, problemOf, type Shapes } from "./client";

const WATCH_MS = 2_000;
const CALM_MS = 5_000;
const BLOB_LIVES_MS = 60_000; // until a browser has surely begun to save it

export function useJobs() {
  return useQuery({
    queryKey: ["jobs"],
    queryFn: () => body(http.GET("/v1/jobs")),
    select: (page) => page.jobs,
    refetchInterval: (query) => (query.state.data?.jobs.length ? WATCH_MS : CALM_MS),
  });
}

export const useCancelJob = () => {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ project, job_id }: Shapes["JobRow"]) =>
      body(
        http.POST("/v1/projects/{name}/turns/{turn_id}/cancel", {
          params: { path: { name: project, turn_id: job_id } },
        }),
      ),
    onSuccess: () => client.invalidateQueries(),
  });
};

export function useBackups() {
  return useQuery({
    queryKey: ["backups"],
    queryFn: () => body(http.GET("/v1/backups")),
    refetchInterval: (query) =>
      query.state.data?.backups.some((one) => one.state === "running") ? WATCH_MS : CALM_MS * 6,
  });
}

const useBackupVerb = <In, Out>(verb: (input: In) => Promise<Out>) => {
  const client = useQueryClient();
  return useMutation({ mutationFn: verb, onSuccess: () => client.invalidateQueries({ queryKey: ["backups"] }) });
};

export const useMakeBackup = () => useBackupVerb<void, unknown>(() => body(http.POST("/v1/backups", { body: {} })));

export const useRemoveBackup = () =>
  useBackupVerb(async (id: string) => {
    await body(http.DELETE("/v1/backups/{backup_id}", { params: { path: { backup_id: id } } }));
  });

/** Save an archive. The browser streams it to the disk by itself, unless it is a key that opens: no link carries one. */
export async function fetchBackup(id: string): Promise<void> {
  const at = `/v1/backups/${encodeURIComponent(id)}/archive`;
  if (!hasKey()) return save(at, id);
  const reply = await fetch(at, { headers: headers() });
  if (!reply.ok) throw problemOf(reply.status, await reply.json().catch(() => undefined));
  const held = URL.createObjectURL(await reply.blob());
  save(held, id);
  setTimeout(() => URL.revokeObjectURL(held), BLOB_LIVES_MS);
}

function save(href: string, id: string): void {
  const link = document.createElement("a");
  link.href = href;
  link.download = `feilun-${id}.zip`;
  link.click();
}

/** Asked for by hand: every checksum of the workspace is compared for it. */
export const useDoctor = () => useMutation({ mutationFn: () => body(http.GET("/v1/doctor")) });

const settingsOf = (name: string) => [name, "settings"];

export type Setting = Omit<Shapes["SettingRow"], "value" | "default"> & { value: unknown; default: unknown };

export const useSettings = (name: string) =>
  useQuery({
    queryKey: settingsOf(name),
    refetchOnWindowFocus: false, // what somebody is changing is a change of what they see
    queryFn: () => body(http.GET("/v1/projects/{name}/settings", { params: { path: { name } } })),
  });

export function useChangeSettings(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ changes, etag }: { changes: Record<string, unknown>; etag: string }) =>
      body(
        http.PATCH("/v1/projects/{name}/settings", {
          params: { path: { name }, header: { "if-match": `"${etag}"` } },
          body: { changes },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: [name] }), // awaited: what is shown then is what was saved
  });
}
