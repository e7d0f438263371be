// "Tell me when it is over": a notification of the browser's own, asked for by a person, never by the page.
import i18n from "i18next";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { body, http, type Shapes } from "../api/client";
import { Button } from "../kit/parts";
import { outcomeOf } from "./view";

const isOffered = typeof Notification !== "undefined" && window.isSecureContext;
const waiting = new Map<string, string>(); // turn -> its project; for as long as the page is open

export function Ring({ name, turn }: { name: string; turn: Shapes["TurnRow"] }) {
  const { t } = useTranslation();
  const [state, set] = useState<"off" | "on" | "denied">(waiting.has(turn.turn_id) ? "on" : "off");
  if (!isOffered) return null;
  const ask = async () => {
    const isAllowed = (await Notification.requestPermission()) === "granted";
    if (isAllowed) waiting.set(turn.turn_id, name);
    set(isAllowed ? "on" : "denied");
  };
  if (state !== "off") return <p className="quiet small">{t(state === "on" ? "turn.ring.on" : "turn.ring.denied")}</p>;
  return (
    <p>
      <Button onClick={() => void ask()}>{t("turn.ring")}</Button>
    </p>
  );
}

/** Rings when a turn of `project` that somebody waits for is over, whichever screen is open then. */
export function useRinging(project: Shapes["ProjectReply"] | undefined): void {
  const [name, running] = [project?.name, project?.turn_id];
  useEffect(() => {
    for (const [turnId, whose] of waiting) if (whose === name && turnId !== running) void ring(name, turnId);
  }, [name, running]);
}

async function ring(name: string, turnId: string): Promise<void> {
  waiting.delete(turnId);
  const path = { name, turn_id: turnId };
  const turn = await body(http.GET("/v1/projects/{name}/turns/{turn_id}", { params: { path } }));
  const title = i18n.t(turn.error ? "turn.ring.failed" : "turn.ring.done", { name });
  new Notification(title, { body: outcomeOf(turn, i18n.language), tag: turnId });
}
