// Training rows whose label looks wrong: keep it or change it, either way the row is settled.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useDoubts, useGiveFeedback } from "../api/verbs";
import { count, percent } from "../kit/format";
import { Button, Card, Given, Trouble } from "../kit/parts";
import { textOf } from "../queue/outbox";

const AT_ONCE = 8;

export function Doubts({ name }: { name: string }) {
  const { t } = useTranslation();
  const [settled, setSettled] = useState<Set<string>>(new Set());
  const settle = (exampleId: string) => setSettled((now) => new Set(now).add(exampleId));
  return (
    <Given of={useDoubts(name)}>
      {(rows) => {
        const left = rows.filter((row) => !settled.has(row.example_id));
        return (
          <Card title={t("doubts.title")} note={t("doubts.note", { count: left.length })}>
            {left.length === 0 && <p className="quiet">{t("doubts.none")}</p>}
            <ul className="doubts">
              {left.slice(0, AT_ONCE).map((row) => (
                <Doubt key={row.example_id} name={name} row={row} onSettled={() => settle(row.example_id)} />
              ))}
            </ul>
            {left.length > AT_ONCE && (
              <p className="quiet small">{t("doubts.more", { n: count(left.length - AT_ONCE) })}</p>
            )}
          </Card>
        );
      }}
    </Given>
  );
}

function Doubt({ name, row, onSettled }: { name: string; row: Shapes["DoubtRow"]; onSettled: () => void }) {
  const { t } = useTranslation();
  const say = useGiveFeedback(name);
  const give = (labels: string[]) =>
    say.mutate(
      { inputs: { text: textOf(row) }, label: labels.length === 1 ? (labels[0] as string) : labels },
      { onSuccess: onSettled },
    );
  return (
    <li>
      <div>
        <p>{textOf(row)}</p>
        <p className="quiet small">
          {row.row === null ? row.source : t("doubts.place", { file: row.source, row: row.row })} ·{" "}
          {t("doubts.score", { share: percent(row.score), label: row.labels.join(", ") })}
        </p>
        {say.error && <Trouble error={say.error} />}
      </div>
      <div className="row">
        <Button disabled={say.isPending} onClick={() => give(row.labels)}>
          {t("doubts.keep", { label: row.labels.join(", ") })}
        </Button>
        <Button type="primary" ghost disabled={say.isPending} onClick={() => give(row.suggested)}>
          {t("doubts.change", { label: row.suggested.join(", ") })}
        </Button>
      </div>
    </li>
  );
}
