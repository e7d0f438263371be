// The loop as a ring: six arcs, clockwise, each with its number beside it.
import type { TFunction } from "i18next";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { count, decimal, percent, points } from "../kit/format";
import type { Lately } from "./today";

type Arc = { key: string; to: string; figure: string; note: string; lately?: string | undefined };

export function Wheel(props: {
  project: Shapes["ProjectReply"];
  report: Shapes["Report"] | undefined;
  nTurns: number;
  nReleases: number;
  lately: Lately;
}) {
  const { t } = useTranslation();
  const { project, report, nTurns, nReleases, lately } = props;
  const [lit, light] = useState<string | null>(null);
  const arcs = arcsOf(project, report, nReleases, t).map((arc) => ({ ...arc, lately: told(arc.key, lately, t) }));
  const item = (arc: Arc | undefined) =>
    arc && (
      <li key={arc.key} onMouseEnter={() => light(arc.key)} onMouseLeave={() => light(null)}>
        <Link to={`/projects/${encodeURIComponent(project.name)}/${arc.to}`}>
          <span>{t(`arc.${arc.key}`)}</span>
          <b className="num">{arc.figure}</b>
          <small>{arc.note}</small>
          {arc.lately && <small className="lately num">{arc.lately}</small>}
        </Link>
      </li>
    );
  return (
    <div className="wheel">
      <ol className="arcs right">{[0, 1, 2].map((i) => item(arcs[i]))}</ol>
      <Ring arcs={arcs} lit={lit} isTurning={project.turn_id !== null && !project.turn_is_paused} isBare={!report}>
        <p className="wheel-turn">{t("home.turns", { count: nTurns })}</p>
        <p className="wheel-score num">
          {report?.metrics["accuracy"] ? percent(report.metrics["accuracy"].value) : "–"}
        </p>
        <p className="quiet small">{report?.metrics["accuracy"] ? t("home.accuracy") : t("home.no_model")}</p>
      </Ring>
      <ol className="arcs left" start={4}>
        {[5, 4, 3].map((i) => item(arcs[i]))}
      </ol>
    </div>
  );
}

function arcsOf(
  project: Shapes["ProjectReply"],
  report: Shapes["Report"] | undefined,
  nReleases: number,
  t: TFunction,
): Arc[] {
  const traffic = project.traffic;
  const predictions = traffic["predictions"] ?? 0;
  const handed = traffic["handed_over"] ?? 0;
  const tried = report?.leaderboard?.filter((line) => line.status === "done").length ?? 0;
  const f1 = report?.metrics["macro_f1"];
  return [
    {
      key: "data",
      to: "data",
      figure: report ? count(report.n_train) : "–",
      note: t("arc.data.note", { count: report?.n_classes ?? 0 }),
    },
    { key: "train", to: "turns", figure: report ? count(tried) : "–", note: t("arc.train.note", { count: tried }) },
    {
      key: "evaluate",
      to: report ? `models/${report.model_id}` : "models",
      figure: f1 ? percent(f1.value) : "–",
      note: t("arc.evaluate.note"),
    },
    {
      key: "release",
      to: "models",
      figure: count(nReleases),
      note: report ? t("arc.release.note", { size: decimal(report.parity.size_mb) }) : t("arc.release.none"),
    },
    {
      key: "serve",
      to: "playground",
      figure: count(predictions),
      note: t("arc.serve.note", { share: percent(predictions ? handed / predictions : 0, 0) }),
    },
    {
      key: "feedback",
      to: "queue",
      figure: count(traffic["corrections"] ?? 0),
      note: t("arc.feedback.note", { count: project.n_new_labels }),
    },
  ];
}

/** What is new at an arc: since midnight, or, of the score, by the last turn. */
function told(arc: string, lately: Lately, t: TFunction): string | undefined {
  if (arc === "evaluate") {
    return lately.gained === undefined ? undefined : t("arc.gained", { points: points(lately.gained) });
  }
  const n = lately.today[arc];
  return n ? t("arc.today", { n: count(n) }) : undefined;
}

const R = 118;
const GAP = 4; // degrees between arcs

function Ring(props: { arcs: Arc[]; lit: string | null; isTurning: boolean; isBare: boolean; children: ReactNode }) {
  const { arcs, lit, isTurning, isBare, children } = props;
  return (
    <div className="ring">
      <svg viewBox="-150 -150 300 300" aria-hidden="true" className={isTurning ? "turning" : ""}>
        {arcs.map((arc, i) => (
          <path
            key={arc.key}
            d={sweep(i * 60 + GAP, (i + 1) * 60 - GAP)}
            className={isBare ? "bare" : lit === arc.key ? "lit" : ""}
          />
        ))}
        {arcs.map((arc, i) => (
          <path
            key={`${arc.key}>`}
            className="head"
            d="M-4 -5 L4 0 L-4 5"
            transform={`rotate(${(i + 1) * 60 - 90}) translate(${R} 0) rotate(90)`}
          />
        ))}
      </svg>
      <div className="ring-middle">{children}</div>
    </div>
  );
}

/** An arc of the ring; degrees clockwise from the top. */
function sweep(from: number, to: number): string {
  const at = (degrees: number) => {
    const turn = ((degrees - 90) * Math.PI) / 180;
    return `${(R * Math.cos(turn)).toFixed(2)} ${(R * Math.sin(turn)).toFixed(2)}`;
  };
  return `M${at(from)} A${R} ${R} 0 0 1 ${at(to)}`;
}
