// Champion and challenger side by side, while a shadow or canary is under way; otherwise there is nothing to say.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { useTraffic } from "../api/verbs";
import { count, percent } from "../kit/format";
import { Button, Card, Given, Pill, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Ending } from "./Ending";
import "./traffic.css";

/** One of the two models, and what it did with its messages. */
interface Side {
  role: "champion" | "challenger";
  modelId: string;
  nMessages: number;
  shares: Record<string, number | null>;
}

export function Traffic({ name }: { name: string }) {
  return (
    <Given of={useTraffic(name)}>
      {(seen) => seen.challenge && <Beside name={name} seen={seen} challenge={seen.challenge} />}
    </Given>
  );
}

function Beside(props: { name: string; seen: Shapes["TrafficReply"]; challenge: Shapes["TrafficChallenge"] }) {
  const { t } = useTranslation();
  const { name, seen, challenge } = props;
  const [isStopping, setStopping] = useState(false);
  const share = percent(challenge.share, challenge.share < 0.1 ? 1 : 0);
  return (
    <Card title={t(`traffic.${challenge.action}`)} note={t(`traffic.${challenge.action}.note`, { share })}>
      <div className="stack">
        {seen.trouble && <p className="bad">{seen.trouble}</p>}
        <Sides name={name} sides={seen.shadow ? ofShadow(seen.shadow, challenge) : seen.arms.map(ofArm)} />
        <div className="row between">
          <p>{seen.shadow ? <Agreement shadow={seen.shadow} /> : seen.reason}</p>
          <Button onClick={() => setStopping(true)}>{t("release.stop")}</Button>
        </div>
        {seen.shadow && seen.shadow.differences.length > 0 && <Differences rows={seen.shadow.differences} />}
        <Twin cli={`feilun release status ${name}`} api={`GET /v1/projects/${name}/traffic`} />
      </div>
      <Ending name={name} action="stop" open={isStopping} onClose={() => setStopping(false)} />
    </Card>
  );
}

function Sides({ name, sides }: { name: string; sides: Side[] }) {
  const { t } = useTranslation();
  return (
    <Table<Side>
      label={t("traffic.title")}
      rowKey="role"
      dataSource={sides}
      pagination={false}
      columns={[
        {
          title: t("models.model"),
          key: "model",
          render: (_, side) => (
            <span className="row">
              <Link className="mono" to={`/projects/${encodeURIComponent(name)}/models/${side.modelId}`}>
                {side.modelId}
              </Link>
              <Pill tone={side.role === "champion" ? "accent" : ""}>{t(`traffic.${side.role}`)}</Pill>
            </span>
          ),
        },
        {
          title: t("traffic.messages"),
          key: "messages",
          align: "right",
          render: (_, side) => <span className="num">{count(side.nMessages)}</span>,
        },
        ...Object.keys(sides[0]?.shares ?? {}).map((what) => ({
          title: t(`traffic.${what}`),
          key: what,
          align: "right" as const,
          render: (_: unknown, side: Side) => {
            const share = side.shares[what] ?? null;
            return <span className="num">{share === null ? "–" : percent(share)}</span>;
          },
        })),
      ]}
    />
  );
}

function Agreement({ shadow }: { shadow: Shapes["TrafficShadow"] }) {
  const { t } = useTranslation();
  const share = of(shadow.n_agreed, shadow.n_compared);
  return share === null
    ? t("traffic.nothing_yet")
    : t("traffic.agreed", { share: percent(share), count: shadow.n_compared });
}

function Differences({ rows }: { rows: Shapes["TrafficDifference"][] }) {
  const { t } = useTranslation();
  return (
    <section>
      <h3 className="quiet small">{t("traffic.differences")}</h3>
      <ul className="differences">
        {rows.map((row) => (
          <li key={row.prediction_id}>
            <p>{String(row.inputs["text"] ?? "")}</p>
            <p className="quiet small">
              {t("traffic.difference", { champion: row.champion.join(", "), challenger: row.challenger.join(", ") })}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

const of = (n: number, all: number): number | null => (all ? n / all : null);

function ofArm(arm: Shapes["TrafficArm"]): Side {
  const { role, n_messages: all } = arm;
  const shares = {
    handed_over: of(arm.n_handed_over, all),
    contradicted: of(arm.n_contradicted, all),
    failed: of(arm.n_failed, all),
  };
  return { role, modelId: arm.model_id, nMessages: all, shares };
}

function ofShadow(shadow: Shapes["TrafficShadow"], challenge: Shapes["TrafficChallenge"]): Side[] {
  const { n_compared: all, n_labelled: known } = shadow;
  const side = (role: Side["role"], modelId: string, nHandedOver: number, nRight: number): Side => ({
    role,
    modelId,
    nMessages: all,
    shares: { handed_over: of(nHandedOver, all), right: of(nRight, known) },
  });
  return [
    side("champion", challenge.champion_id, shadow.n_champion_handed_over, shadow.n_champion_right),
    side("challenger", challenge.model_id, shadow.n_challenger_handed_over, shadow.n_challenger_right),
  ];
}
