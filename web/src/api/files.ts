// Files that are handed over, projects that are made of them, and the machine.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { body, http, type Shapes } from "./client";

const MACHINE_FRESH_MS = 60_000;

export type Waiting = Shapes["UploadReply"];
export type Columns = { text?: string; label?: string };

export function useMachine() {
  return useQuery({
    queryKey: ["machine"],
    staleTime: MACHINE_FRESH_MS,
    queryFn: () => body(http.GET("/v1/machine")),
  });
}

/** Send a file as it is. */
export const useUpload = () =>
  useMutation({
    mutationFn: (file: File) =>
      body(
        http.POST("/v1/uploads", {
          params: { query: { filename: file.name } },
          headers: { "Content-Type": "application/octet-stream" },
          body: file as unknown as string,
          bodySerializer: (sent) => sent as unknown as BodyInit,
        }),
      ),
  });

/** The same file, read with other columns. */
export const useLook = () =>
  useMutation({
    mutationFn: ({ uploadId, columns }: { uploadId: string; columns: Columns }) =>
      body(http.GET("/v1/uploads/{upload_id}", { params: { path: { upload_id: uploadId }, query: columns } })),
  });

export const removeUpload = (uploadId: string) =>
  body(http.DELETE("/v1/uploads/{upload_id}", { params: { path: { upload_id: uploadId } } })).catch(() => null);

export function useCreateProject() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (wish: Shapes["ProjectRequest"]) => {
      const made = await body(http.POST("/v1/projects", { body: wish }));
      await body(http.POST("/v1/projects/{name}/turns", { params: { path: { name: made.name } }, body: { note: "" } }));
      return made;
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["projects"] }),
  });
}

const dataOf = (name: string) => [name, "data"];

export function useDataReport(name: string) {
  return useQuery({
    queryKey: dataOf(name),
    staleTime: MACHINE_FRESH_MS, // all files are read for it
    // the client widens pairs to lists; the shapes say what they are
    queryFn: () =>
      body(http.GET("/v1/projects/{name}/data", { params: { path: { name } } })) as Promise<Shapes["DataReport"]>,
  });
}

export function useAddData(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wish: Shapes["DataRequest"]) =>
      body(http.POST("/v1/projects/{name}/data", { params: { path: { name } }, body: wish })),
    onSuccess: () => client.invalidateQueries({ queryKey: [name] }),
  });
}
