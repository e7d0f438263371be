// The messages on which the two part, by kind and by label.
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { useFlips, type Comparison, type Pair } from "../api/comparing";
import { useLabels } from "../api/verbs";
import { useAddress } from "../app/address";
import { End } from "../errors/End";
import { count } from "../kit/format";
import { Button, Card, Empty, Given, Segmented, Select, Trouble } from "../kit/parts";
import { Flipped } from "./Flipped";
import { KINDS, readAddress } from "./wanted";

const ALL = "all";

export function Flips({ found, pair }: { found: Comparison; pair: Pair }) {
  const { t } = useTranslation();
  const [address, change] = useAddress();
  const wanted = readAddress(address);
  const flips = useFlips(pair, wanted);
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = flips;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage]);
  const labels = useLabels(pair.name, pair.new);
  const { n_fixed, n_broken } = found.test;
  const n = { all: n_fixed + n_broken + found.n_changed, fixed: n_fixed, broken: n_broken, changed: found.n_changed };
  if (!n.all) return <Empty title={t("compare.none.title")}>{t("compare.none.text")}</Empty>;
  return (
    <Card title={t("compare.flips")} note={t("compare.flips.note")}>
      <div className="row between flips-filter">
        <Segmented<string>
          aria-label={t("compare.kind")}
          value={wanted.kind ?? ALL}
          onChange={(kind) => change({ kind: kind === ALL ? undefined : kind })}
          options={([ALL, ...KINDS] as const).map((kind) => ({
            value: kind,
            label: `${t(`compare.kind.${kind}`)} ${count(n[kind])}`,
          }))}
        />
        <Select
          className="flips-gold"
          allowClear
          showSearch
          aria-label={t("errors.by.gold")}
          placeholder={t("compare.any")}
          value={wanted.gold ?? undefined}
          onChange={(gold: string | undefined) => change({ gold })}
          options={found.classes
            .filter((one) => one.n_examples > 0)
            .map((one) => one.label)
            .sort((a, b) => a.localeCompare(b))
            .map((value) => ({ value, label: value }))}
        />
      </div>
      <Given of={flips}>
        {({ pages }) =>
          pages[0]?.n_found ? (
            <>
              <ul className="examples">
                {pages.flatMap((page) =>
                  page.flips.map((one) => <Flipped key={one.example_id} pair={pair} of={one} labels={labels} />),
                )}
              </ul>
              {flips.isFetchNextPageError && <Trouble error={flips.error} onRetry={more} />}
              <End onSeen={more} isMore={hasNextPage && !flips.isFetchNextPageError} />
            </>
          ) : (
            <div className="flips-none">
              <p className="quiet">{t("compare.nothing")}</p>
              <Button size="small" onClick={() => change({ kind: undefined, gold: undefined })}>
                {t("compare.reset")}
              </Button>
            </div>
          )
        }
      </Given>
    </Card>
  );
}
