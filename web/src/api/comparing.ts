// What the screens ask about two models side by side. What the two said when they were judged never changes.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { body, http, type Shapes } from "./client";
import type { paths } from "./schema";

const ADDRESS = "/v1/projects/{name}/models/{model_id}/compare/{new_id}";
const AT_ONCE = 50;

type Asked = NonNullable<paths[typeof ADDRESS]["get"]["parameters"]["query"]>;
export type WantedFlips = Pick<Asked, "kind" | "gold">;
export type Comparison = Shapes["ModelComparisonShape"];
export type Flip = Shapes["FlippedRowShape"];
export type Pair = { name: string; old: string; new: string };

const ask = (pair: Pair, query: Asked) =>
  body(
    http.GET(ADDRESS, { params: { path: { name: pair.name, model_id: pair.old, new_id: pair.new }, query } }),
  ) as Promise<Comparison>;

/** The figures alone, which no filter changes. */
export function useComparison(pair: Pair) {
  return useQuery({
    queryKey: [pair.name, "comparison", pair.old, pair.new],
    queryFn: () => ask(pair, { limit: 1 }),
    staleTime: Infinity,
  });
}

/** Pages of the messages on which the two part. */
export function useFlips(pair: Pair, wanted: WantedFlips) {
  return useInfiniteQuery({
    queryKey: [pair.name, "comparison", pair.old, pair.new, wanted],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => ask(pair, { ...wanted, after: pageParam, limit: AT_ONCE }),
    getNextPageParam: (page) => page.next_after,
    staleTime: Infinity,
  });
}
