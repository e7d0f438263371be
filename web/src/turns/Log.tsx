// What a turn said, line by line, as it came: for whoever wants to know exactly.
import { useTranslation } from "react-i18next";
import type { Event } from "../api/events";
import { clock, count } from "../kit/format";

const MOST_CHARS = 400; // of what an event carries

export function Log({ events }: { events: Event[] }) {
  const { t } = useTranslation();
  return (
    <details className="turn-log">
      <summary>{t("turn.log", { n: count(events.length) })}</summary>
      <ol tabIndex={0} aria-label={t("turn.log.lines")}>
        {events.map((event) => (
          <li key={event.event_id} className="mono small">
            <span className="quiet num">{clock(event.created_at)}</span> <b>{event.kind}</b>{" "}
            <span className="quiet">{said(event)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

const said = (event: Event): string =>
  Object.entries(event.data ?? {})
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ")
    .slice(0, MOST_CHARS);
