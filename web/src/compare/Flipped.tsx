// One message on which the two part: what it is, what each said, why, and what to do about it.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import type { Flip, Pair } from "../api/comparing";
import { useExplanation } from "../api/examples";
import { Mend, placeOf } from "../errors/Mend";
import { percent } from "../kit/format";
import { Button, Given, Pill } from "../kit/parts";
import { Decisive } from "../kit/Words";
import "../errors/errors.css";

const TONES = { fixed: "good", broken: "bad", changed: "" } as const;

export function Flipped({ pair, of, labels }: { pair: Pair; of: Flip; labels: string[] }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const said = (side: "old" | "new", isRight: boolean) => (
    <Said
      name={pair.name}
      modelId={pair[side]}
      side={side}
      answer={of[side]}
      isRight={isRight}
      text={of.text}
      isOpen={isOpen}
    />
  );
  return (
    <li className="example" data-testid="flip">
      <div className="example-head">
        <div>
          <p className="words">{of.text}</p>
          <div className="row example-said">
            <Pill tone={TONES[of.kind]}>{t(`compare.is.${of.kind}`)}</Pill>
            <span>
              <span className="quiet small">{t("errors.by.gold")}</span> {of.gold.join(", ") || t("matrix.nothing")}
            </span>
            <span className="quiet small" title={of.source}>
              {placeOf(of, t)}
            </span>
          </div>
        </div>
        <Button size="small" type="text" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {t(isOpen ? "errors.close" : "errors.why")}
        </Button>
      </div>
      <div className="opinions">
        {said("old", of.kind === "broken")}
        {said("new", of.kind === "fixed")}
      </div>
      {isOpen && (
        <div className="flip-mend">
          <Mend name={pair.name} of={of} labels={labels} />
        </div>
      )}
    </li>
  );
}

function Said(props: {
  name: string;
  modelId: string;
  side: "old" | "new";
  answer: Shapes["ModelAnswer"];
  isRight: boolean;
  text: string;
  isOpen: boolean;
}) {
  const { t } = useTranslation();
  const { name, modelId, side, answer, isRight, text, isOpen } = props;
  const why = useExplanation(name, modelId, text, undefined, isOpen);
  return (
    <div className="opinion">
      <div className="row">
        <span className="quiet small">{t(`compare.${side}`)}</span>
        <span
          className={isRight ? "good" : "bad"}
          role="img"
          aria-label={t(isRight ? "compare.right" : "compare.wrong")}
        >
          {isRight ? "✓" : "✗"}
        </span>
        <b>{answer.label || t("matrix.nothing")}</b>
        <span className="quiet small num">
          {t("try.confidence", { share: percent(answer.confidence) })}
          {answer.decision === "hand_over" && ` · ${t("compare.handed_over")}`}
        </span>
      </div>
      {isOpen && <Given of={why}>{(found) => <Decisive text={text} of={found} />}</Given>}
    </div>
  );
}
