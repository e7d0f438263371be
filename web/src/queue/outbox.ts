// Decisions on their way to the server. Feedback is a log that only grows, so a decision waits a moment before it is
// sent: taken back within that moment it was never said. What was said already is corrected by a later word.
import { Problem, type Shapes } from "../api/client";
import { giveFeedback, newKey, skip } from "../api/verbs";

export type Row = Shapes["QueueRow"];
// labels null: skipped; what was decided at one go has one number `at`
export type Decision = { row: Row; labels: string[] | null; key: string; sent: boolean; at: number };

const SEND_AFTER_MS = 4_000;
const AGAIN_AFTER_MS = 2_000;

type Told = (decision: Decision, reply: Shapes["FeedbackReply"] | undefined) => void;

export class Outbox {
  private nGoes = 0;
  private waiting = new Map<Decision, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly project: string,
    private readonly onSent: Told,
    private readonly onTrouble: (decision: Decision, error: unknown) => void,
  ) {}

  get size(): number {
    return this.waiting.size;
  }

  add(rows: Row[], labels: string[] | null): Decision[] {
    const at = this.nGoes++;
    const decisions = rows.map((row) => ({ row, labels, key: newKey(), sent: false, at }));
    for (const decision of decisions)
      this.waiting.set(
        decision,
        setTimeout(() => void this.send(decision), SEND_AFTER_MS),
      );
    return decisions;
  }

  /** Whether the decision was taken back before anybody heard of it. */
  takeBack(decision: Decision): boolean {
    clearTimeout(this.waiting.get(decision));
    return this.waiting.delete(decision);
  }

  /** Everything that waits goes out now; `keepalive` when the page is about to go. */
  flush(keepalive: boolean): void {
    for (const decision of [...this.waiting.keys()]) {
      clearTimeout(this.waiting.get(decision));
      void this.send(decision, keepalive);
    }
  }

  async send(decision: Decision, keepalive = false): Promise<void> {
    this.waiting.delete(decision);
    decision.sent = true;
    try {
      this.onSent(decision, await this.say(decision, keepalive));
    } catch (error) {
      // the same idempotency key goes out again, so what did arrive counts once
      const mayPass = error instanceof Problem && [0, 503].includes(error.status);
      if (mayPass)
        this.waiting.set(
          decision,
          setTimeout(() => void this.send(decision), AGAIN_AFTER_MS),
        );
      decision.sent = !mayPass;
      this.onTrouble(decision, error);
    }
  }

  private async say({ row, labels, key }: Decision, keepalive: boolean): Promise<Shapes["FeedbackReply"] | undefined> {
    if (labels === null) {
      if (row.prediction_id) await skip(this.project, row.prediction_id, keepalive);
      return undefined;
    }
    const label = labels.length === 1 ? (labels[0] as string) : labels;
    const about = row.prediction_id ? { prediction_id: row.prediction_id } : { inputs: { text: textOf(row) } };
    return giveFeedback(this.project, { ...about, label }, key, keepalive);
  }
}

export const textOf = (row: { inputs: Record<string, unknown> }): string => String(row.inputs["text"] ?? "");
