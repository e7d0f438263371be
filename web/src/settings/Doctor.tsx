// What is wrong with the workspace and the machine, and what to do about it.
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useDoctor } from "../api/operate";
import { Button, Card, Pill, Trouble } from "../kit/parts";

type Finding = Shapes["FindingRow"];
const TONES = { problem: "bad", notice: "warn", ok: "good" } as const;
const ORDER = ["problem", "notice"] as const;

export function Doctor() {
  const { t } = useTranslation();
  const look = useDoctor();
  return (
    <Card title={t("doctor.title")} note={t("doctor.note")}>
      <div className="stack">
        <div className="row">
          <Button loading={look.isPending} onClick={() => look.mutate()}>
            {look.data ? t("doctor.again") : t("doctor.look")}
          </Button>
          {look.data && (
            <p role="status" className={look.data.n_problems ? "bad" : "good"}>
              {look.data.n_problems ? t("doctor.problems", { count: look.data.n_problems }) : t("doctor.well")}
            </p>
          )}
        </div>
        {look.error && <Trouble error={look.error} />}
        {look.data && <Findings rows={look.data.findings} />}
      </div>
    </Card>
  );
}

function Findings({ rows }: { rows: Finding[] }) {
  const { t } = useTranslation();
  const fine = rows.filter((one) => one.level === "ok");
  const told = ORDER.flatMap((level) => rows.filter((one) => one.level === level));
  return (
    <>
      {told.length > 0 && <List rows={told} />}
      <details>
        <summary>{t("doctor.fine", { count: fine.length })}</summary>
        <List rows={fine} />
      </details>
    </>
  );
}

function List({ rows }: { rows: Finding[] }) {
  const { t } = useTranslation();
  return (
    <ul className="findings">
      {rows.map((one, place) => (
        <li key={`${one.code} ${place}`}>
          <Pill tone={TONES[one.level]}>{t(`doctor.level.${one.level}`)}</Pill>
          <div>
            <p>{one.found}</p>
            {one.action && <p className="quiet small">{one.action}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}
