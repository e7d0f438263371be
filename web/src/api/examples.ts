// What the screens ask about single messages: how a model answered them, what any model would say, and why.
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { body, http, type Shapes } from "./client";
import type { paths } from "./schema";

const AT_ONCE = 50;
const at = (name: string) => ({ params: { path: { name } } });
const of = (name: string, modelId: string) => ({ params: { path: { name, model_id: modelId } } });

type Asked = NonNullable<paths["/v1/projects/{name}/models/{model_id}/examples"]["get"]["parameters"]["query"]>;
export type Wanted = Omit<Asked, "after" | "limit">;
export type Example = Shapes["ExampleShape"];

/** Pages of held-out messages; what a model said of them never changes. */
export function useExamples(name: string, modelId: string, wanted: Wanted) {
  return useInfiniteQuery({
    queryKey: [name, "examples", modelId, wanted],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => {
      const query = { ...wanted, after: pageParam, limit: AT_ONCE };
      const asked = { params: { path: { name, model_id: modelId }, query } };
      const page = body(http.GET("/v1/projects/{name}/models/{model_id}/examples", asked));
      return page as Promise<Shapes["ExamplePageShape"]>;
    },
    getNextPageParam: (page) => page.next_after,
    staleTime: Infinity,
  });
}

export function useConfusion(name: string, modelId: string) {
  return useQuery({
    queryKey: [name, "confusion", modelId],
    queryFn: () => body(http.GET("/v1/projects/{name}/models/{model_id}/confusion", of(name, modelId))),
    staleTime: Infinity,
  });
}

export function useThresholds(name: string, modelId: string) {
  return useQuery({
    queryKey: [name, "thresholds", modelId],
    queryFn: () => body(http.GET("/v1/projects/{name}/models/{model_id}/thresholds", of(name, modelId))),
    staleTime: Infinity,
  });
}

export const askModel = (name: string, modelId: string, text: string) =>
  body(
    http.POST("/v1/projects/{name}/models/{model_id}/answers", { ...of(name, modelId), body: { inputs: [{ text }] } }),
  ) as Promise<Shapes["AnswersReply"]>;

/** Which words decided; asked only when somebody looks, as it costs as much as sixty answers. */
export function useExplanation(name: string, modelId: string, text: string, label?: string, enabled = true) {
  return useQuery({
    queryKey: [name, "explanation", modelId, text, label],
    enabled,
    queryFn: () =>
      body(
        http.POST("/v1/projects/{name}/explanations", {
          ...at(name),
          body: { inputs: { text }, model_id: modelId, ...(label ? { label } : {}) },
        }),
      ),
    staleTime: Infinity,
  });
}

export function useAskPeople(name: string) {
  return useMutation({
    mutationFn: (text: string) =>
      body(http.POST("/v1/projects/{name}/queue", { ...at(name), body: { inputs: { text } } })),
  });
}
