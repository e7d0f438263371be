// A turn as its events tell it. The same events give the same view, so a refresh loses nothing.
import type { Event } from "../api/events";
import type { Shapes } from "../api/client";

// The order of the wheel; a step that a later release adds is appended when its first event comes.
const STEPS = ["data", "train", "compress", "evaluate", "seal", "release"];

export type Step = {
  name: string;
  state: "ahead" | "running" | "done" | "failed";
  wallS?: number;
  data: Record<string, unknown>;
};
export type Candidate = Shapes["CandidateResult"];
export type View = {
  steps: Step[];
  candidates: Candidate[];
  losses: Record<string, number[]>;
  told: Event | null;
  train: { since: string; budgetS: number } | null; // once it has begun
  over: Event | null;
  log: Event[]; // the latest ones
};

export const START: View = {
  steps: STEPS.map((name) => ({ name, state: "ahead", data: {} })),
  candidates: [],
  losses: {},
  told: null,
  train: null,
  over: null,
  log: [],
};

export const TONES = { running: "accent", paused: "warn", done: "good", failed: "bad", cancelled: "" } as const;

/** A paused turn is one that runs, for the server; people see it told apart. */
export const stateOf = (turn: Shapes["TurnRow"]): keyof typeof TONES =>
  turn.paused_at !== null ? "paused" : (turn.status as keyof typeof TONES);

/** What its model scored; undefined where it has none yet. */
export const scoreOf = (turn: Shapes["TurnRow"] | undefined, metric: string): number | undefined =>
  (turn?.result?.["metrics"] as Record<string, number> | undefined)?.[metric];

/** What a turn that is over came to, in the words of the gate or of what stopped it. */
export function outcomeOf(turn: Shapes["TurnRow"], language: string): string {
  const told = (turn.error ?? turn.result?.["decision"]) as Record<string, unknown> | null | undefined;
  return String(told?.[language] ?? told?.["message"] ?? told?.["code"] ?? "");
}

const LOG_LINES = 500;

export function apply(before: View, event: Event): View {
  const view = { ...before, log: [...before.log, event].slice(-LOG_LINES) };
  const data = event.data ?? {};
  const step = String(data["step"] ?? "");
  switch (event.kind) {
    case "step.start":
      return { ...view, told: null, steps: withStep(view.steps, { name: step, state: "running", data: {} }) };
    case "step.done":
      return {
        ...view,
        told: null,
        steps: withStep(view.steps, { name: step, state: "done", wallS: Number(data["wall_s"] ?? 0), data }),
      };
    case "turn.failed":
      return { ...view, told: null, over: event, steps: withStep(view.steps, { name: step, state: "failed", data }) };
    case "turn.done":
      return { ...view, told: null, over: event };
    case "train.start":
      return { ...view, told: event, train: { since: event.created_at, budgetS: Number(data["budget_s"] ?? 0) } };
    case "train.candidate":
      return { ...view, told: event, candidates: [...view.candidates, data as unknown as Candidate] };
    case "train.epoch":
    case "train.update":
      return { ...view, told: event, losses: withLoss(view.losses, data) };
    default:
      return { ...view, told: event };
  }
}

function withStep(steps: Step[], changed: Step): Step[] {
  if (!changed.name) return steps;
  if (!steps.some((step) => step.name === changed.name)) return [...steps, changed];
  return steps.map((step) => (step.name === changed.name ? changed : step));
}

function withLoss(losses: View["losses"], data: Record<string, unknown>): View["losses"] {
  const [name, loss] = [String(data["candidate"] ?? ""), data["loss"]];
  if (!name || typeof loss !== "number") return losses;
  return { ...losses, [name]: [...(losses[name] ?? []), loss] };
}
