// A turn's events: all from its beginning, then as they happen. A refresh reads them again, so nothing is ever lost.
import { useEffect, useReducer } from "react";
import { headers, problemOf, type Shapes } from "./client";

export type Event = Shapes["Event"];

const AGAIN_MS = 1_000; // after a broken stream

/** Folds the events of a turn into a view; `apply` must be pure. */
export function useEvents<View>(
  name: string,
  turnId: string,
  apply: (view: View, event: Event) => View,
  start: View,
): View {
  const [view, dispatch] = useReducer(
    (now: View, events: Event[] | null) => (events === null ? start : events.reduce(apply, now)),
    start,
  );
  useEffect(() => {
    const stop = new AbortController();
    dispatch(null);
    void follow(name, turnId, dispatch, stop.signal);
    return () => stop.abort();
  }, [name, turnId]);
  return view;
}

async function follow(name: string, turnId: string, tell: (events: Event[]) => void, signal: AbortSignal) {
  let last = 0;
  while (!signal.aborted) {
    try {
      for await (const event of stream(name, turnId, last, signal)) {
        last = event.event_id;
        tell([event]);
        if (event.kind === "turn.done" || event.kind === "turn.failed") return;
      }
    } catch {
      if (signal.aborted) return;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Server-sent events by fetch: EventSource can send neither a key nor a language. */
async function* stream(name: string, turnId: string, after: number, signal: AbortSignal): AsyncGenerator<Event> {
  const reply = await fetch(`/v1/projects/${encodeURIComponent(name)}/events?turn_id=${encodeURIComponent(turnId)}`, {
    headers: { ...headers(), Accept: "text/event-stream", "Last-Event-ID": String(after) },
    signal,
  });
  if (!reply.ok || !reply.body) throw problemOf(reply.status, await reply.json().catch(() => undefined));
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const data = part.split("\n").find((line) => line.startsWith("data: "));
        if (data) yield JSON.parse(data.slice("data: ".length)) as Event;
      }
    }
  } finally {
    await reader.cancel();
  }
}
