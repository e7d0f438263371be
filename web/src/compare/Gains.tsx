// Which classes gain and which lose: right answers more or fewer, each a way to its messages.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Comparison } from "../api/comparing";
import { useAddress } from "../app/address";
import { count } from "../kit/format";
import { Button, Card } from "../kit/parts";

const SHOWN = 10;
const change = (one: Comparison["classes"][number]): number => one.n_right_new - one.n_right_old;

export function Gains({ classes }: { classes: Comparison["classes"] }) {
  const { t } = useTranslation();
  const [address, set] = useAddress();
  const [isWhole, showAll] = useState(false);
  const changed = classes.filter((one) => change(one) !== 0);
  if (!changed.length) return null;
  const most = Math.max(...changed.map((one) => Math.abs(change(one))));
  const biggest = [...changed].sort((a, b) => Math.abs(change(b)) - Math.abs(change(a))).slice(0, SHOWN);
  const shown = isWhole ? changed : changed.filter((one) => biggest.includes(one));
  return (
    <Card title={t("compare.classes")} note={t("compare.classes.note")}>
      <ul className="diverging" data-testid="gains">
        {shown.map((one) => (
          <li key={one.label}>
            <button
              type="button"
              aria-pressed={address.get("gold") === one.label}
              onClick={() => set({ gold: address.get("gold") === one.label ? undefined : one.label })}
            >
              {one.label}
            </button>
            <Diverging share={change(one) / most} />
            <span className={`num ${change(one) > 0 ? "good" : "bad"}`}>
              {change(one) > 0 ? "+" : "−"}
              {count(Math.abs(change(one)))}
            </span>
            <span className="quiet small num">
              {t("compare.class", {
                old: count(one.n_right_old),
                new: count(one.n_right_new),
                n: count(one.n_examples),
              })}
            </span>
          </li>
        ))}
      </ul>
      {changed.length > SHOWN && (
        <Button size="small" type="text" aria-expanded={isWhole} onClick={() => showAll(!isWhole)}>
          {isWhole ? t("compare.classes.fewer") : t("compare.classes.all", { count: changed.length })}
        </Button>
      )}
    </Card>
  );
}

/** From the middle to the right for a gain, to the left for a loss. */
function Diverging({ share }: { share: number }) {
  const width = Math.abs(share) * 50;
  return (
    <span className="diverging-bar" aria-hidden="true">
      <i
        className={share > 0 ? "gain" : "loss"}
        style={{ left: `${share > 0 ? 50 : 50 - width}%`, width: `${width}%` }}
      />
    </span>
  );
}
