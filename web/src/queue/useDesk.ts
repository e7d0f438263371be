// The desk: which message lies on it, what was decided, and what is on its way. A key changes it at once; the server
// hears of it afterwards.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import type { Shapes } from "../api/client";
import { clearDesk, newKey, takeFromQueue, takeSimilar } from "../api/verbs";
import { Outbox, type Decision, type Row } from "./outbox";

const REFILL_BELOW = 8;
const AT_ONCE = 40;
const MOST_AT_ONCE = 100; // in one page, says the server
const LOOK_EVERY_MS = 5_000; // while nothing waits
const KEEP_EVERY_MS = 60_000; // what lies on this desk is nobody else's for three minutes

type Desk = { rows: Row[]; done: Decision[]; nWaiting: number; loaded: boolean };
type Change =
  { kind: "refill"; rows: Row[]; nWaiting: number } | { kind: "decide"; decisions: Decision[] } | { kind: "undo" };

const EMPTY: Desk = { rows: [], done: [], nWaiting: 0, loaded: false };

function change(desk: Desk, what: Change): Desk {
  if (what.kind === "decide") {
    const gone = new Set(what.decisions.map((decision) => decision.row.example_id));
    const rows = desk.rows.filter((row) => !gone.has(row.example_id));
    const nWaiting = Math.max(desk.nWaiting - what.decisions.length, 0);
    return { ...desk, rows, done: [...desk.done, ...what.decisions], nWaiting };
  }
  if (what.kind === "undo") {
    const back = lastOf(desk.done);
    const rows = [...back.map((decision) => decision.row), ...desk.rows];
    const done = desk.done.slice(0, desk.done.length - back.length);
    return { ...desk, rows, done, nWaiting: desk.nWaiting + back.length };
  }
  const known = new Set([...desk.rows, ...desk.done.map((decision) => decision.row)].map((row) => row.example_id));
  const unsent = desk.done.filter((decision) => !decision.sent).length;
  const rows = [...desk.rows, ...what.rows.filter((row) => !known.has(row.example_id))];
  return { ...desk, rows, nWaiting: Math.max(what.nWaiting - unsent, 0), loaded: true };
}

/** What was decided at one go, which is taken back at one go. */
const lastOf = (done: Decision[]): Decision[] => done.filter((decision) => decision.at === done.at(-1)?.at);

export function useDesk(name: string) {
  const [desk, dispatch] = useReducer(change, EMPTY);
  const [error, setError] = useState<unknown>(null);
  const [last, setLast] = useState<Shapes["FeedbackReply"] | null>(null);
  const queries = useQueryClient();
  const outbox = useMemo(
    () =>
      new Outbox(
        name,
        (_, reply) => {
          setError(null);
          if (reply?.new_label) setLast(reply);
          void queries.invalidateQueries({ queryKey: [name, "project"] });
        },
        (_, trouble) => setError(trouble),
      ),
    [name, queries],
  );

  const own = useMemo(newKey, []); // of this page alone: two of one person's are two desks
  const busy = useRef(false);
  const known = useRef(0); // what the server counts as waiting although it lies here or is on its way
  known.current = desk.rows.length + desk.done.filter((decision) => !decision.sent).length;
  const refill = useCallback(async () => {
    if (busy.current) return;
    busy.current = true;
    try {
      const page = await takeFromQueue(name, own, Math.min(AT_ONCE + known.current, MOST_AT_ONCE));
      dispatch({ kind: "refill", rows: page.queue, nWaiting: page.n_waiting });
      setError(null);
    } catch (trouble) {
      setError(trouble);
    } finally {
      busy.current = false;
    }
  }, [name, own]);

  const short = desk.rows.length < REFILL_BELOW;
  useEffect(() => {
    const timer = setInterval(() => void refill(), KEEP_EVERY_MS);
    return () => clearInterval(timer);
  }, [refill]);
  useEffect(() => {
    if (!short) return;
    void refill(); // before the desk is empty: a quick hand must not wait
    const timer = setInterval(() => void refill(), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [short, refill]);

  useEffect(() => {
    const leave = () => {
      outbox.flush(true);
      void clearDesk(name, own);
    };
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      outbox.flush(false);
      void clearDesk(name, own);
    };
  }, [outbox, name, own]);

  const row = desk.rows[0];
  return {
    ...desk,
    row,
    error,
    lastNew: last,
    refill,
    /** labels null: skip. */
    decide: (labels: string[] | null) => row && dispatch({ kind: "decide", decisions: outbox.add([row], labels) }),
    /** The same labels for several messages. */
    decideAll: (rows: Row[], labels: string[]) => dispatch({ kind: "decide", decisions: outbox.add(rows, labels) }),
    similar: (predictionId: string) => takeSimilar(name, own, predictionId),
    /** Takes the last decision back; one that was sent already stands until another label is given. */
    undo: () => {
      const back = lastOf(desk.done);
      for (const decision of back) outbox.takeBack(decision);
      dispatch({ kind: "undo" });
      return back.at(0);
    },
  };
}
