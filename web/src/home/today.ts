// What happened since midnight where the reader is, and what the last turn brought.
import type { Shapes } from "../api/client";
import { moment } from "../kit/format";
import { scoreOf } from "../turns/view";

export type Lately = { today: Record<string, number>; gained: number | undefined };

export function latelyOf(
  monitor: Shapes["MonitorReply"] | undefined,
  turns: Shapes["TurnRow"][],
  releases: Shapes["ReleaseRow"][],
): Lately {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const isToday = (at: string) => moment(at).getTime() >= midnight;
  const hours = (monitor?.buckets ?? []).filter((hour) => isToday(hour.at));
  const done = turns.filter((turn) => turn.status === "done");
  return {
    today: {
      train: done.filter((turn) => isToday(turn.created_at)).length,
      release: releases.filter((row) => isToday(row.created_at)).length,
      serve: hours.reduce((sum, hour) => sum + hour.n_messages, 0),
      feedback: hours.reduce((sum, hour) => sum + hour.n_feedback, 0),
    },
    gained: gainOf(done[1], done[0], "macro_f1"),
  };
}

/** How much better the model of one turn is than that of an earlier one; undefined where either was never judged. */
function gainOf(
  before: Shapes["TurnRow"] | undefined,
  after: Shapes["TurnRow"] | undefined,
  metric: string,
): number | undefined {
  const [first, last] = [scoreOf(before, metric), scoreOf(after, metric)];
  return first === undefined || last === undefined ? undefined : last - first;
}
