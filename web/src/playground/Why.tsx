// Why a model says so, once somebody asks.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useExplanation } from "../api/examples";
import { Button, Given } from "../kit/parts";
import { Decisive, Words } from "../kit/Words";

export function Why({ name, modelId, text }: { name: string; modelId: string; text: string }) {
  const { t } = useTranslation();
  const [isAsked, ask] = useState(false);
  const why = useExplanation(name, modelId, text, undefined, isAsked);
  if (!isAsked)
    return (
      <div>
        <Button size="small" onClick={() => ask(true)}>
          {t("errors.why")}
        </Button>
      </div>
    );
  return (
    <Given of={why}>
      {(found) => (
        <div className="why">
          <Words text={text} of={found} />
          <Decisive text={text} of={found} />
        </div>
      )}
    </Given>
  );
}
