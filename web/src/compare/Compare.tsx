// Two models on the messages that both were judged on: what the new one fixes, and what it breaks. The address says which
// two, and what is looked for.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import { useComparison, type Comparison, type Pair } from "../api/comparing";
import { useModels, useProject } from "../api/verbs";
import { useAddress } from "../app/address";
import { useName } from "../app/Shell";
import { asQuery } from "../errors/wanted";
import { count, decimal, points, when } from "../kit/format";
import { Button, Card, Given, Page, Pill, Select, Twin } from "../kit/parts";
import { Promote } from "../releases/Promote";
import { Flips } from "./Flips";
import { Gains } from "./Gains";
import { Sides } from "./Sides";
import { asCommand, readAddress } from "./wanted";
import "./compare.css";

const TONES = { better: "good", not_better: "", worse: "bad" } as const;

export default function Compare() {
  const { t } = useTranslation();
  const name = useName();
  const { modelId = "", newId = "" } = useParams<"modelId" | "newId">();
  const pair = { name, old: modelId, new: newId };
  const champion = useProject(name).data?.champion;
  const comparison = useComparison(pair);
  const [address] = useAddress();
  const [isChosen, choose] = useState(false);
  const wanted = readAddress(address);
  return (
    <Page
      title={t("compare.title")}
      lead={t("compare.lead")}
      action={
        champion !== undefined &&
        champion !== newId &&
        comparison.data && (
          <Button type={comparison.data.verdict === "better" ? "primary" : "default"} onClick={() => choose(true)}>
            {t("compare.promote")}
          </Button>
        )
      }
    >
      <p className="back">
        <Link to={`/projects/${encodeURIComponent(name)}/models`}>← {t("models.title")}</Link>
      </p>
      <Choice pair={pair} />
      <Given of={comparison}>{(found) => <Sections found={found} pair={pair} champion={champion ?? ""} />}</Given>
      <Twin
        cli={asCommand(pair, wanted)}
        api={`GET /v1/projects/${name}/models/${pair.old}/compare/${pair.new}${asQuery(wanted)}`}
      />
      <Promote name={name} modelId={isChosen ? newId : null} onClose={() => choose(false)} />
    </Page>
  );
}

/** Which two, in which order. */
function Choice({ pair }: { pair: Pair }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { search } = useLocation();
  const models = useModels(pair.name).data ?? [];
  const options = models.map((row) => ({
    value: row.model_id,
    label: [row.model_id, when(row.created_at), ...(row.is_champion ? [t("models.champion")] : [])].join(" · "),
  }));
  const go = (one: string, other: string) =>
    void navigate(`/projects/${encodeURIComponent(pair.name)}/models/${one}/compare/${other}${search}`, {
      replace: true,
      preventScrollReset: true,
    });
  const pick = (side: "old" | "new", onChange: (id: string) => void) => (
    <label className="field">
      <span>{t(`compare.${side}`)}</span>
      <Select
        showSearch
        aria-label={t(`compare.${side}`)}
        value={pair[side]}
        onChange={onChange}
        options={options.map((one) => ({
          ...one,
          disabled: one.value === (side === "old" ? pair.new : pair.old),
        }))}
      />
    </label>
  );
  return (
    <div className="compare-choice">
      {pick("old", (id) => go(id, pair.new))}
      <Button aria-label={t("compare.swap")} title={t("compare.swap")} onClick={() => go(pair.new, pair.old)}>
        ⇄
      </Button>
      {pick("new", (id) => go(pair.old, id))}
    </div>
  );
}

function Sections({ found, pair, champion }: { found: Comparison; pair: Pair; champion: string }) {
  const { t } = useTranslation();
  const { test } = found;
  const words = {
    difference: points(test.difference.value),
    low: points(test.difference.low),
    high: points(test.difference.high),
    p: test.p_value < 0.001 ? "< 0.001" : `= ${decimal(test.p_value, 3)}`,
  };
  return (
    <>
      <Card>
        <div className="row between compare-verdict" data-testid="verdict">
          <div>
            <p>
              {t("compare.sentence", { fixed: count(test.n_fixed), broken: count(test.n_broken) })}{" "}
              <Pill tone={TONES[found.verdict]}>{t(`compare.verdict.${found.verdict}`)}</Pill>
            </p>
            <p className="quiet small num">
              {t("report.compared.test", words)} · {t("compare.on", { count: test.n_rows })} ·{" "}
              {t("compare.alike", { count: found.n_wrong_alike })}
            </p>
          </div>
          <Link className="small" to={`/projects/${encodeURIComponent(pair.name)}/models`}>
            {t("release.log")}
          </Link>
        </div>
      </Card>
      <Sides found={found} name={pair.name} champion={champion} />
      <Gains classes={found.classes} />
      <Flips found={found} pair={pair} />
    </>
  );
}
