// What the screens ask of the server, each verb once.
import { useInfiniteQuery, useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { body, http, type Shapes } from "./client";
import type { operations } from "./schema";

const FRESH_MS = 5_000;
const WATCH_MS = 2_000;
const DOUBTS_FRESH_MS = 60_000; // the server reads the data files for them

const at = (name: string) => ({ params: { path: { name } } });

export function useProjects() {
  return useQuery({
    queryKey: ["projects"],
    queryFn: () => body(http.GET("/v1/projects")),
    select: (page) => page.projects,
  });
}

export function useProject(name: string) {
  return useQuery({
    queryKey: [name, "project"],
    queryFn: () => body(http.GET("/v1/projects/{name}", at(name))),
    refetchInterval: (query) =>
      query.state.data?.turn_id || query.state.data?.turn_is_requested ? WATCH_MS : FRESH_MS,
  });
}

export function useModels(name: string) {
  return useQuery({
    queryKey: [name, "models"],
    queryFn: () => body(http.GET("/v1/projects/{name}/models", at(name))),
    select: (page) => page.models,
    refetchInterval: FRESH_MS, // turns and the guard release too
  });
}

const reportOf = (name: string, modelId: string) => ({
  queryKey: [name, "report", modelId],
  queryFn: () =>
    body(http.GET("/v1/projects/{name}/models/{model_id}/report", { params: { path: { name, model_id: modelId } } })),
  staleTime: Infinity, // a report never changes once it is written
});

export const useReport = (name: string, modelId: string) => useQuery(reportOf(name, modelId));

/** Every label that a row may have, or be given. */
export function useLabels(name: string, modelId: string): string[] {
  const known = useReport(name, modelId).data?.per_class?.map((row) => row.label) ?? [];
  const now = useProject(name).data?.labels ?? [];
  return [...new Set([...known, ...now])].sort((a, b) => a.localeCompare(b));
}

export function useReports(name: string, modelIds: string[]): Shapes["Report"][] {
  const asked = useQueries({ queries: modelIds.map((modelId) => reportOf(name, modelId)) });
  return asked.flatMap((one) => (one.data ? [one.data] : []));
}

export function useReleases(name: string) {
  return useQuery({
    queryKey: [name, "releases"],
    queryFn: () => body(http.GET("/v1/projects/{name}/releases", at(name))),
    select: (page) => page.releases,
    refetchInterval: FRESH_MS,
  });
}

const MOST_DIFFERENCES = 5;

export function useTraffic(name: string) {
  const asked = { params: { path: { name }, query: { limit: MOST_DIFFERENCES } } };
  return useQuery({
    queryKey: [name, "traffic"],
    queryFn: () => body(http.GET("/v1/projects/{name}/traffic", asked)),
    refetchInterval: (query) => (query.state.data?.challenge ? WATCH_MS : FRESH_MS),
  });
}

export type Bucket = Shapes["MonitorReply"]["bucket"];

export function useMonitor(name: string, bucket: Bucket) {
  return useQuery({
    queryKey: [name, "monitor", bucket],
    queryFn: () => body(http.GET("/v1/projects/{name}/monitor", { params: { path: { name }, query: { bucket } } })),
    refetchInterval: FRESH_MS,
  });
}

export type Reason = NonNullable<NonNullable<operations["list_answers"]["parameters"]["query"]>["reason"]>;

/** What was answered, latest first, page by page. */
export function useAnswers(name: string, wanted: { label?: string; reason?: Reason }) {
  return useInfiniteQuery({
    queryKey: [name, "answers", wanted.label, wanted.reason],
    queryFn: ({ pageParam }) => {
      const query = { ...wanted, limit: 20, ...(pageParam === null ? {} : { before: pageParam }) };
      return body(http.GET("/v1/projects/{name}/answers", { params: { path: { name }, query } }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_before,
  });
}

/** `isWatched`: as they change; else as they were when first asked for. */
export function useTurns(name: string, isWatched = true) {
  return useQuery({
    queryKey: [name, "turns"],
    queryFn: () => body(http.GET("/v1/projects/{name}/turns", at(name))),
    select: (page) => page.turns,
    refetchInterval: (query) => {
      if (!isWatched) return false;
      return query.state.data?.turns.some((turn) => turn.status === "running") ? WATCH_MS : FRESH_MS;
    },
  });
}

export function useDoubts(name: string, enabled = true) {
  return useQuery({
    enabled,
    staleTime: DOUBTS_FRESH_MS,
    queryKey: [name, "doubts"],
    queryFn: () => body(http.GET("/v1/projects/{name}/doubts", { params: { path: { name }, query: { limit: 100 } } })),
    select: (page) => page.doubts,
  });
}

export function readFeedback(name: string, before: number | null) {
  const query = { latest: true, limit: 100, ...(before === null ? {} : { before }) };
  return body(http.GET("/v1/projects/{name}/feedback", { params: { path: { name }, query } }));
}

// The client widens [label, probability] to a list; the shapes say what it is.
export function takeFromQueue(name: string, desk: string, limit: number) {
  const asked = { params: { path: { name, desk }, query: { limit } } };
  return body(http.POST("/v1/projects/{name}/queue/desks/{desk}", asked)) as Promise<Shapes["QueueReply"]>;
}

export function takeSimilar(name: string, desk: string, predictionId: string) {
  const asked = { params: { path: { name, desk }, query: { prediction_id: predictionId, limit: 50 } } };
  return body(http.POST("/v1/projects/{name}/queue/desks/{desk}/similar", asked)) as Promise<Shapes["SimilarReply"]>;
}

export const clearDesk = (name: string, desk: string) =>
  http
    .DELETE("/v1/projects/{name}/queue/desks/{desk}", { params: { path: { name, desk } }, keepalive: true })
    .catch(() => null); // what lies on it is for others in three minutes anyway

/** A verb that changes something in a project; what is shown of the project is read again afterwards. */
function useVerb<In, Out>(name: string, verb: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: verb,
    onSuccess: () => client.invalidateQueries({ queryKey: [name] }),
  });
}

export const useRequestTurn = (name: string) =>
  useVerb(name, (note: string) => body(http.POST("/v1/projects/{name}/turns", { ...at(name), body: { note } })));

const turnAt = (name: string, turnId: string) => ({ params: { path: { name, turn_id: turnId } } });

export const useCancelTurn = (name: string) =>
  useVerb(name, (turnId: string) =>
    body(http.POST("/v1/projects/{name}/turns/{turn_id}/cancel", turnAt(name, turnId))),
  );

export const usePauseTurn = (name: string) =>
  useVerb(name, (turnId: string) => body(http.POST("/v1/projects/{name}/turns/{turn_id}/pause", turnAt(name, turnId))));

export const useResumeTurn = (name: string) =>
  useVerb(name, (turnId: string) =>
    body(http.POST("/v1/projects/{name}/turns/{turn_id}/resume", turnAt(name, turnId))),
  );

export const useRelease = (name: string) =>
  useVerb(name, (wish: Shapes["ReleaseRequest"]) =>
    body(http.POST("/v1/projects/{name}/releases", { ...at(name), body: wish })),
  );

export const useGiveFeedback = (name: string) => useVerb(name, (said: Said) => giveFeedback(name, said));

export type Said = Partial<Shapes["FeedbackRequest"]>;

/** An idempotency key; crypto.randomUUID exists only behind https. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");

/** The same `key` sent again counts once. `keepalive` lets the request outlive the page. */
export function giveFeedback(name: string, said: Said, key: string = newKey(), keepalive = false) {
  return body(
    http.POST("/v1/projects/{name}/feedback", {
      params: { path: { name }, header: { "idempotency-key": key } },
      body: said as Shapes["FeedbackRequest"],
      keepalive,
    }),
  );
}

export function skip(name: string, predictionId: string, keepalive = false) {
  return body(
    http.POST("/v1/projects/{name}/queue/{prediction_id}/skip", {
      params: { path: { name, prediction_id: predictionId } },
      keepalive,
    }),
  );
}

export const predict = (name: string, text: string) =>
  body(http.POST("/v1/projects/{name}/predictions", { ...at(name), body: { inputs: [{ text }] } })) as Promise<
    Shapes["PredictReply"]
  >;
