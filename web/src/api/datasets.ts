// The snapshots that turns learnt from, and what changed between two.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { body, http, type Shapes } from "./client";

const PAGE = 50;

export type ChangeKind = Shapes["RowChangeShape"]["kind"];

export const useDatasets = (name: string) =>
  useQuery({
    queryKey: [name, "datasets"],
    queryFn: () => body(http.GET("/v1/projects/{name}/datasets", { params: { path: { name } } })),
    select: (page) => page.datasets,
  });

export function useDatasetChanges(name: string, id: string, base: string | null, kind: ChangeKind | null) {
  return useInfiniteQuery({
    queryKey: [name, "datasets", id, base, kind],
    staleTime: Infinity, // neither of the two ever changes
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      body(
        http.GET("/v1/projects/{name}/datasets/{dataset_id}/changes", {
          params: {
            path: { name, dataset_id: id },
            query: { limit: PAGE, after: pageParam, ...(base ? { base_id: base } : {}), ...(kind ? { kind } : {}) },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_after,
  });
}
