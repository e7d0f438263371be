// Files that are handed over, projects that are made of them, and the machine.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
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

const send = (file: File) =>
  body(
    http.POST("/v1/uploads", {
      params: { query: { filename: file.name } },
      headers: { "Content-Type": "application/octet-stream" },
      body: file as unknown as string,
      bodySerializer: (sent) => sent as unknown as BodyInit,
    }),
  );

const look = (uploadId: string, columns: Columns) =>
  body(http.GET("/v1/uploads/{upload_id}", { params: { path: { upload_id: uploadId }, query: columns } }));

const remove = (uploadId: string) =>
  body(http.DELETE("/v1/uploads/{upload_id}", { params: { path: { upload_id: uploadId } } })).catch(() => null);

/** The columns that a file is read by, as a request says them. */
export const columnsOf = ({ text, label }: Waiting): Columns => ({
  ...(text ? { text } : {}),
  ...(label ? { label } : {}),
});

/** A file that somebody hands over: sent, read by other columns, and let go when it was used or is not wanted. */
export function useFile() {
  const [file, setFile] = useState<Waiting | null>(null);
  const sending = useMutation({ mutationFn: send, onSuccess: setFile });
  const looking = useMutation({
    mutationFn: ({ uploadId, columns }: { uploadId: string; columns: Columns }) => look(uploadId, columns),
    onSuccess: setFile,
  });
  const used = () => {
    setFile(null);
    sending.reset();
    looking.reset();
  };
  return {
    file,
    error: sending.error ?? looking.error,
    isSending: sending.isPending,
    isLooking: looking.isPending,
    send: (chosen: File) => sending.mutate(chosen),
    look: (columns: Columns) => file && looking.mutate({ uploadId: file.upload_id, columns }),
    used,
    drop: () => {
      if (file) void remove(file.upload_id);
      used();
    },
  };
}

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
