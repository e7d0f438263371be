// What to do about a message that a model gets wrong: the label is wrong, or somebody else should look.
import { useState } from "react";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { useAskPeople, type Example } from "../api/examples";
import { useGiveFeedback } from "../api/verbs";
import { Button, Select, Trouble } from "../kit/parts";
import { nameOf } from "./wanted";

export type HeldOut = Pick<Example, "text" | "gold" | "source" | "row">;

export function Mend({ name, of, labels }: { name: string; of: HeldOut; labels: string[] }) {
  const { t } = useTranslation();
  const say = useGiveFeedback(name);
  const ask = useAskPeople(name);
  const [said, setSaid] = useState("");
  const give = (label: string) => {
    setSaid(label);
    say.mutate({ inputs: { text: of.text }, label });
  };
  const words = { label: said, gold: of.gold.join(", "), place: placeOf(of, t) };
  return (
    <div className="stack tight">
      {say.error && <Trouble error={say.error} />}
      {ask.error && <Trouble error={ask.error} />}
      {say.isSuccess ? (
        <p role="status">{t(said === of.gold.join() ? "errors.confirmed" : "errors.said", words)}</p>
      ) : (
        <Select
          className="mend"
          showSearch
          loading={say.isPending}
          disabled={say.isPending}
          aria-label={t("errors.relabel")}
          placeholder={t("errors.relabel")}
          value={null}
          onChange={give}
          options={labels.map((label) => ({ value: label, label }))}
        />
      )}
      {ask.isSuccess ? (
        <p role="status" className="good">
          {t("errors.asked")}
        </p>
      ) : (
        <Button className="mend" loading={ask.isPending} onClick={() => ask.mutate(of.text)}>
          {t("errors.ask")}
        </Button>
      )}
    </div>
  );
}

/** The row of its file. */
export function placeOf(of: HeldOut, t: TFunction): string {
  const file = nameOf(of.source);
  return of.row === null ? file : t("doubts.place", { file, row: of.row });
}
