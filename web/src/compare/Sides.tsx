// The two models: how good, how large, how fast.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Comparison } from "../api/comparing";
import { decimal } from "../kit/format";
import { Fact, Metric, Pill } from "../kit/parts";

type Side = Comparison["old"];

export function Sides({ found, name, champion }: { found: Comparison; name: string; champion: string }) {
  return (
    <div className="compare-sides">
      {(["old", "new"] as const).map((side) => (
        <One key={side} side={side} of={found[side]} name={name} isChampion={found[side].model_id === champion} />
      ))}
    </div>
  );
}

function One(props: { side: "old" | "new"; of: Side; name: string; isChampion: boolean }) {
  const { t } = useTranslation();
  const { side, of, name, isChampion } = props;
  return (
    <section className="compare-side" data-testid={`side-${side}`}>
      <h2 className="row">
        {t(`compare.${side}`)}
        <Link className="mono" to={`/projects/${encodeURIComponent(name)}/models/${of.model_id}`}>
          {of.model_id}
        </Link>
        {isChampion && <Pill tone="accent">{t("models.champion")}</Pill>}
      </h2>
      <Metric
        name="accuracy"
        label={t("metric.accuracy")}
        of={of.accuracy}
        note={t("compare.held_out", { count: of.n_examples })}
      />
      {of.size_mb !== null && <Fact label={t("report.size")} value={t("unit.mb", { n: decimal(of.size_mb) })} />}
      {of.p50_ms !== null && <Fact label={t("compare.latency")} value={t("unit.ms", { n: decimal(of.p50_ms) })} />}
    </section>
  );
}
