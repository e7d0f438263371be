// One held-out message: what it was, what it was taken for, the words that decided, and what to do about it.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useExplanation, type Example } from "../api/examples";
import { percent } from "../kit/format";
import { Button, Pill, Trouble, Waiting } from "../kit/parts";
import { Decisive, Words } from "../kit/Words";
import { Mend, placeOf } from "./Mend";

type Props = { name: string; modelId: string; of: Example; labels: string[] };

export function Message({ name, modelId, of, labels }: Props) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const why = useExplanation(name, modelId, of.text, undefined, isOpen);
  return (
    <li className="example" data-testid="example">
      <div className="example-head">
        <div>
          {isOpen && why.data ? <Words text={of.text} of={why.data} /> : <p className="words">{of.text}</p>}
          <div className="row example-said">
            <span>
              {of.gold.join(", ") || t("matrix.nothing")}
              {!of.correct && (
                <>
                  {" "}
                  <span className="quiet" role="img" aria-label={t("errors.taken_for")}>
                    →
                  </span>{" "}
                  <b className="bad">{of.answer.label || t("matrix.nothing")}</b>
                </>
              )}
            </span>
            <span className="quiet num small">{t("try.confidence", { share: percent(of.answer.confidence) })}</span>
            <Pill tone={of.answer.decision === "answer" && !of.correct ? "bad" : ""}>
              {t(`decision.${of.answer.decision}`)}
            </Pill>
            <span className="quiet small" title={of.source}>
              {placeOf(of, t)}
            </span>
          </div>
        </div>
        <Button size="small" type="text" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {t(isOpen ? "errors.close" : "errors.why")}
        </Button>
      </div>
      {isOpen && (
        <div className="example-more">
          <div>
            {why.error ? (
              <Trouble error={why.error} onRetry={() => void why.refetch()} />
            ) : why.data ? (
              <Decisive text={of.text} of={why.data} />
            ) : (
              <Waiting rows={2} />
            )}
          </div>
          <Mend name={name} of={of} labels={labels} />
        </div>
      )}
    </li>
  );
}
