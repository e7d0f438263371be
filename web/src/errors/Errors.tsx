// The held-out messages of a model, one by one: which ones it gets wrong, and why. The address says what is looked for.
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import type { Shapes } from "../api/client";
import { useExamples, type Wanted } from "../api/examples";
import { useLabels } from "../api/verbs";
import { useAddress } from "../app/address";
import { useName } from "../app/Shell";
import { count } from "../kit/format";
import { Button, Card, Empty, Given, Page, Trouble, Twin } from "../kit/parts";
import { End } from "./End";
import { Filters } from "./Filters";
import { Message } from "./Message";
import { asCommand, asQuery, readAddress } from "./wanted";
import "./errors.css";

export default function Errors() {
  const { t } = useTranslation();
  const name = useName();
  const modelId = useParams<"modelId">().modelId ?? "";
  const [address, change] = useAddress();
  const wanted = readAddress(address);
  const labels = useLabels(name, modelId);
  const sources = useExamples(name, modelId, wanted).data?.pages[0]?.sources ?? [];
  const path = `/v1/projects/${name}/models/${modelId}/examples`;
  return (
    <Page title={t("errors.title")} lead={<span className="mono">{modelId}</span>}>
      <p className="back">
        <Link to={`/projects/${encodeURIComponent(name)}/models/${modelId}`}>← {t("report.title")}</Link>
      </p>
      <Filters labels={labels} sources={sources} address={address} onSet={change} />
      <Found
        name={name}
        modelId={modelId}
        wanted={wanted}
        labels={labels}
        onReset={() => change(Object.fromEntries([...address.keys()].map((key) => [key, undefined])))}
      />
      <Twin cli={asCommand(name, modelId, wanted)} api={`GET ${path}${asQuery(wanted)}`} />
    </Page>
  );
}

function Found(props: { name: string; modelId: string; wanted: Wanted; labels: string[]; onReset: () => void }) {
  const { t } = useTranslation();
  const { name, modelId, wanted, labels, onReset } = props;
  const examples = useExamples(name, modelId, wanted);
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = examples;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage]);
  return (
    <Given of={examples}>
      {({ pages }) => {
        const first = pages[0] as Shapes["ExamplePageShape"];
        if (!first.n_found)
          return (
            <Empty title={t("errors.none.title")} action={<Button onClick={onReset}>{t("errors.reset")}</Button>}>
              {t("errors.none.text")}
            </Empty>
          );
        return (
          <Card
            title={t("errors.found", { count: first.n_found })}
            note={t("errors.found.note", { wrong: count(first.n_wrong), n: count(first.n_examples) })}
          >
            <ul className="examples">
              {pages.flatMap((page) =>
                page.examples.map((one) => (
                  <Message key={one.example_id} name={name} modelId={modelId} of={one} labels={labels} />
                )),
              )}
            </ul>
            {examples.isFetchNextPageError && <Trouble error={examples.error} onRetry={more} />}
            <End onSeen={more} isMore={hasNextPage && !examples.isFetchNextPageError} />
          </Card>
        );
      }}
    </Given>
  );
}
