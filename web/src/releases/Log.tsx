// The release log: it only grows, and every entry says why.
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { when } from "../kit/format";
import { Pill } from "../kit/parts";
import "./log.css";

const TONES = { promote: "good", rollback: "warn", canary: "accent", shadow: "accent" } as const;

/** A turn releases in the name of whoever asked for it; where nobody acts, the guard or the server does. */
function who(actor: string, t: TFunction): string {
  const [, isTurn, asker = actor] = /^(turn:)?(.*)$/.exec(actor) ?? [];
  const known = t(`by.${asker}`, { defaultValue: asker });
  return isTurn ? t("release.by_turn", { who: known }) : known;
}

export function Log({ rows, name }: { rows: Shapes["ReleaseRow"][]; name: string }) {
  const { t } = useTranslation();
  return (
    <ol className="log">
      {rows.map((row) => (
        <li key={row.release_id}>
          <div className="row">
            <Pill tone={TONES[row.action as keyof typeof TONES] ?? ""}>{t(`action.${row.action}`)}</Pill>
            <Link className="mono" to={`/projects/${encodeURIComponent(name)}/models/${row.model_id}`}>
              {row.model_id}
            </Link>
            <time className="quiet small" dateTime={row.created_at}>
              {when(row.created_at)}
            </time>
            <span className="quiet small">{who(row.actor, t)}</span>
          </div>
          <p>{row.reason}</p>
        </li>
      ))}
    </ol>
  );
}
