// Ask for a turn, watch it, stop it; and what the earlier ones came to.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { NavLink, useParams } from "react-router";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { useProject, useRequestTurn, useTurns } from "../api/verbs";
import { percent, when } from "../kit/format";
import { Button, Empty, Given, Page, Pill, Sheet, TextArea, Trouble, Twin } from "../kit/parts";
import { Turn } from "./Turn";
import { TONES, scoreOf, stateOf } from "./view";
import "./turns.css";

export default function Turns() {
  const { t } = useTranslation();
  const name = useName();
  const { turnId } = useParams<"turnId">();
  const project = useProject(name).data;
  const [isAsking, setAsking] = useState(false);
  return (
    <Page
      title={t("turns.title")}
      lead={t("turns.lead")}
      action={
        <Button
          type="primary"
          disabled={!project || project.turn_is_requested || project.turn_id !== null}
          onClick={() => setAsking(true)}
        >
          {t("turn.ask")}
        </Button>
      }
    >
      {project?.turn_is_requested && !project.turn_id && (
        <p className="card" role="status">
          {t("turn.requested")}
        </p>
      )}
      <Given of={useTurns(name)}>
        {(turns) => {
          const shown = turns.find((turn) => turn.turn_id === turnId) ?? turns[0];
          if (!shown)
            return (
              <Empty title={t("turns.none.title")} action={<code>feilun turn {name}</code>}>
                {t("turns.none.text")}
              </Empty>
            );
          return (
            <div className="turns">
              <List turns={turns} shown={shown.turn_id} name={name} />
              <Turn key={shown.turn_id} name={name} turn={shown} />
            </div>
          );
        }}
      </Given>
      <Ask name={name} open={isAsking} onClose={() => setAsking(false)} />
    </Page>
  );
}

function List({ turns, shown, name }: { turns: Shapes["TurnRow"][]; shown: string; name: string }) {
  const { t } = useTranslation();
  return (
    <nav className="turn-list" aria-label={t("turns.title")}>
      {turns.map((turn, i) => {
        const accuracy = scoreOf(turn, "accuracy");
        return (
          <NavLink
            key={turn.turn_id}
            to={`/projects/${encodeURIComponent(name)}/turns/${turn.turn_id}`}
            className={turn.turn_id === shown ? "on" : ""}
            aria-current={turn.turn_id === shown ? "page" : undefined}
          >
            <span className="row between">
              <b>{t("turn.number", { n: turns.length - i })}</b>
              {accuracy === undefined ? (
                <Pill tone={TONES[stateOf(turn)]}>{t(`status.${stateOf(turn)}`)}</Pill>
              ) : (
                <span className="num">{percent(accuracy)}</span>
              )}
            </span>
            <span className="quiet small">{when(turn.created_at)}</span>
          </NavLink>
        );
      })}
    </nav>
  );
}

function Ask({ name, open, onClose }: { name: string; open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const ask = useRequestTurn(name);
  const [note, setNote] = useState("");
  return (
    <Sheet
      open={open}
      title={t("turn.ask")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="primary" loading={ask.isPending} onClick={() => ask.mutate(note, { onSuccess: onClose })}>
            {t("turn.ask")}
          </Button>
        </>
      }
    >
      <div className="stack">
        <p className="quiet">{t("turn.ask.text")}</p>
        {ask.error && <Trouble error={ask.error} />}
        <label className="field">
          <span>{t("turn.note")}</span>
          <TextArea rows={2} maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
        </label>
        <Twin
          cli={`feilun job request ${name} --note "${note}"`}
          api={`POST /v1/projects/${name}/turns\n${JSON.stringify({ note })}`}
        />
      </div>
    </Sheet>
  );
}
