import { useTranslation } from "react-i18next";
import { Button, Sheet } from "../kit/parts";

const KEYS = [
  ["1–9", "queue.help.pick"],
  ["Enter", "queue.help.accept"],
  ["S", "queue.help.skip"],
  ["U", "queue.help.undo"],
  ["A", "queue.help.alike"],
  ["/", "queue.help.search"],
  ["↑ ↓", "queue.help.move"],
  ["Esc", "queue.help.leave"],
  ["?", "queue.help.help"],
] as const;

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Sheet
      open={open}
      title={t("queue.keys")}
      onClose={onClose}
      footer={<Button onClick={onClose}>{t("close")}</Button>}
    >
      <dl className="keys">
        {KEYS.map(([key, word]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(word)}</dd>
          </div>
        ))}
      </dl>
      <p className="quiet small">{t("queue.help.undo_note")}</p>
    </Sheet>
  );
}
