// Where a list that grows while it is read ends for now.
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

/** The end of the list: once it comes near, the next page is asked for. */
export function End({ onSeen, isMore }: { onSeen: () => void; isMore: boolean }) {
  const { t } = useTranslation();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current || !isMore) return;
    const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && onSeen(), {
      rootMargin: "600px",
    });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [onSeen, isMore]);
  return (
    <div ref={place} className="quiet small">
      {isMore ? t("errors.more") : t("errors.end")}
    </div>
  );
}
