// What the monitor asks about alerts.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { body, http } from "./client";

const FRESH_MS = 5_000;
const SHOWN = 10;

export function useAlerts(name: string) {
  return useQuery({
    queryKey: [name, "alerts"],
    queryFn: () => body(http.GET("/v1/projects/{name}/alerts", { params: { path: { name } } })),
    refetchInterval: FRESH_MS,
  });
}

export function useAlertLog(name: string) {
  return useQuery({
    queryKey: [name, "alerts", "log"],
    queryFn: () =>
      body(http.GET("/v1/projects/{name}/alerts/log", { params: { path: { name }, query: { limit: SHOWN } } })),
    select: (page) => page.deliveries,
    refetchInterval: FRESH_MS,
  });
}

/** A test to every target; what came of it is in the log as well. */
export function useTestAlerts(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => body(http.POST("/v1/projects/{name}/alerts/test", { params: { path: { name } }, body: {} })),
    onSuccess: () => client.invalidateQueries({ queryKey: [name, "alerts"] }),
  });
}
