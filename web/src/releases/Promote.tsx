// Letting another model answer. The goal is the law: against it, an override needs a reason and a name (without a key,
// nobody is known by one), and stays in the log.
import { Checkbox } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { useIsNamed } from "../api/session";
import { useRelease } from "../api/verbs";
import { percent } from "../kit/format";
import { Button, Input, Segmented, Sheet, TextArea, Trouble, Twin } from "../kit/parts";

type How = "promote" | "canary" | "shadow";
const SHARES = { canary: 10, shadow: 100 }; // per cent to begin with

export function Promote({ name, modelId, onClose }: { name: string; modelId: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  const release = useRelease(name);
  const isNamed = useIsNamed();
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState(false);
  const [actor, setActor] = useState("");
  const [how, setHow] = useState<How>("promote");
  const [share, setShare] = useState(100);
  const { reset } = release;
  useEffect(() => {
    setReason("");
    setOverride(false);
    setHow("promote");
    reset();
  }, [modelId, reset]);
  const misses = release.error instanceof Problem && release.error.code === "release.goal_not_met";
  const mustSign = override && !isNamed;
  const wish = {
    action: how,
    model_id: modelId,
    reason,
    override,
    actor: mustSign ? actor.trim() : "",
    ...(how === "promote" ? {} : { share: share / 100 }),
  };
  const choose = (chosen: How) => {
    setHow(chosen);
    if (chosen !== "promote") setShare(SHARES[chosen]);
    reset();
  };
  const lacks = override && !(reason.trim() && (wish.actor || !mustSign));
  return (
    <Sheet
      open={modelId !== null}
      title={t("release.promote.title")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button
            type="primary"
            loading={release.isPending}
            disabled={lacks}
            onClick={() => release.mutate(wish, { onSuccess: onClose })}
          >
            {t(`release.${how}`)}
          </Button>
        </>
      }
    >
      <div className="stack">
        <Segmented<How>
          aria-label={t("release.how")}
          value={how}
          onChange={choose}
          options={(["promote", "canary", "shadow"] as const).map((one) => ({
            value: one,
            label: t(`release.how.${one}`),
          }))}
        />
        <p className="quiet">{t(`release.${how}.text`, { model: modelId })}</p>
        {how !== "promote" && (
          <label className="field">
            <span>{t("release.share", { share: percent(share / 100) })}</span>
            <input
              type="range"
              min={1}
              max={100}
              value={share}
              onChange={(event) => setShare(Number(event.target.value))}
            />
          </label>
        )}
        {release.error && <Trouble error={release.error} />}
        <label className="field">
          <span>{t(override ? "release.reason.needed" : "release.reason")}</span>
          <TextArea rows={2} maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        {misses && (
          <Checkbox checked={override} onChange={(event) => setOverride(event.target.checked)}>
            {t("release.override")}
          </Checkbox>
        )}
        {mustSign && (
          <label className="field">
            <span>{t("release.actor")}</span>
            <Input maxLength={64} value={actor} onChange={(event) => setActor(event.target.value)} />
          </label>
        )}
        <Twin
          cli={`feilun release ${how} ${name} --model ${modelId}${how === "promote" ? "" : ` --share ${share / 100}`} --reason "${reason}"`}
          api={`POST /v1/projects/${name}/releases\n${JSON.stringify(wish)}`}
        />
      </div>
    </Sheet>
  );
}
