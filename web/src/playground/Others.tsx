// The same message in other models, side by side. Which ones: the address. Nothing of it is recorded.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { askModel } from "../api/examples";
import { useModels } from "../api/verbs";
import { useAddress } from "../app/address";
import { when } from "../kit/format";
import { Card, Given, Select } from "../kit/parts";
import { Odds, Said } from "./Odds";
import { Why } from "./Why";

const MOST = 3;

export function Others({ name, champion, text }: { name: string; champion: string; text: string }) {
  const { t } = useTranslation();
  const [address, change] = useAddress();
  const models = (useModels(name).data ?? []).filter((row) => row.model_id !== champion);
  const chosen = address.getAll("with").filter((id) => models.some((row) => row.model_id === id));
  if (!models.length) return null;
  return (
    <>
      <Card title={t("try.others")} note={t("try.others.note")}>
        <Select<string[]>
          className="others"
          mode="multiple"
          maxCount={MOST}
          aria-label={t("try.others")}
          placeholder={t("try.others.choose", { count: MOST })}
          value={chosen}
          onChange={(ids) => change({ with: ids.slice(0, MOST) })}
          options={models.map((row) => ({ value: row.model_id, label: `${row.model_id} · ${when(row.created_at)}` }))}
        />
      </Card>
      {chosen.length > 0 && text && (
        <div className="beside">
          {chosen.map((id) => (
            <Other key={id} name={name} modelId={id} text={text} />
          ))}
        </div>
      )}
    </>
  );
}

function Other({ name, modelId, text }: { name: string; modelId: string; text: string }) {
  const asked = useQuery({
    queryKey: [name, "answers", modelId, text],
    queryFn: () => askModel(name, modelId, text),
    staleTime: Infinity,
  });
  return (
    <Card
      title={
        <Link className="mono" to={`/projects/${encodeURIComponent(name)}/models/${modelId}`}>
          {modelId}
        </Link>
      }
    >
      <Given of={asked}>
        {(reply) => {
          const answer = reply.answers[0] as Shapes["ModelAnswer"];
          return (
            <div className="stack" data-testid="other-answer">
              <Said answer={answer} />
              <Odds of={answer.alternatives} />
              <Why name={name} modelId={modelId} text={text} />
            </div>
          );
        }}
      </Given>
    </Card>
  );
}
