"""Which model answers, and who said so."""

from __future__ import annotations

import logging
from typing import Any

from feilun.project.comparing import ComparingVerbs
from feilun.project.errors import GoalNotMet, NothingToRollBack
from feilun.store.releases import LIVE_ACTIONS

log = logging.getLogger(__name__)


class ReleaseVerbs(ComparingVerbs):
    """The release log."""

    def list_releases(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The release log, latest first."""
        return self.store.list_releases(self.name, limit=limit)

    def promote(self, model_id: str, *, actor: str, reason: str = "", override: bool = False) -> dict[str, Any]:
        """Let a model answer from now on. One that misses the goal needs `override`, a reason and a name.

        It ends a shadow or canary that is under way.

        Raises:
            GoalNotMet: the goal is the law.
            BundleDamaged: the bundle is not what was sealed.
        """
        meets_goal = self._may_go_live(model_id, actor=actor, override=override, reason=reason)
        said = f" {reason}" if reason else ""
        return self._release(
            "promote",
            model_id,
            actor=actor,
            reason_code="by_hand" if meets_goal else "override",
            en=f"Promoted by {actor}.{said}" if meets_goal else f"Promoted by {actor} over the goal:{said}",
            zh=f"由 {actor} 上线。{reason}" if meets_goal else f"由 {actor} 越过目标上线：{reason}",
        )

    def _may_go_live(self, model_id: str, *, actor: str, override: bool, reason: str) -> bool:
        """Whether a model meets the goal; one that does not gets no farther than here without a reason and a name.

        Raises:
            GoalNotMet: it misses the goal, and nobody overrides it.
            BundleDamaged: the bundle is not what was sealed.
        """
        from feilun.release import decide

        self.verify_model(model_id)
        decision = decide(self.report(model_id), self.settings.goal, has_champion=False)
        if not decision.released and not (override and reason and actor.strip()):
            raise GoalNotMet(model_id=model_id, en=decision.en, zh=decision.zh)
        return decision.released

    def rollback(self, *, actor: str, reason: str = "") -> dict[str, Any]:
        """Undo the last release: end a canary, so that the champion answers everything again, or else go back to the
        model that answered before the present one. A release like any other.

        Raises:
            NothingToRollBack: there was none.
        """
        canary = self.store.find_challenge(self.name)
        if canary is not None and canary.action == "canary":
            entry = self.store.end_challenge(
                self.name,
                canary,
                action="rollback",
                model_id=canary.champion_id,
                actor=actor,
                reason_code="canary_by_hand",
                en=f"The canary {canary.model_id} was rolled back by {actor}. {reason}".strip(),
                zh=f"灰度模型 {canary.model_id} 由 {actor} 回滚。{reason}",
            )
            self._take_up()
            # Somebody else, or the guard, may have been a moment faster: then what they did is what is told.
            return entry or self.list_releases(limit=1)[0]
        live = self.store.find_live_release(self.name)
        previous = self._model_before(live) if live else None
        if previous is None:
            raise NothingToRollBack(project=self.name)
        self.verify_model(previous)
        return self._release(
            "rollback",
            previous,
            actor=actor,
            reason_code="by_hand",
            en=f"Rolled back by {actor}. {reason}".strip(),
            zh=f"由 {actor} 回滚。{reason}",
        )

    def _model_before(self, live: dict[str, Any]) -> str | None:
        """The model that was live before `live` was: rolling back twice goes two models back, not to and fro."""
        log = [row for row in self.store.list_releases(self.name, limit=1000) if row["action"] in LIVE_ACTIONS]
        trail: list[str] = []
        for row in reversed(log):
            if row["action"] == "promote":
                trail.append(row["model_id"])
            elif row["model_id"] in trail:
                del trail[trail.index(row["model_id"]) + 1 :]
        earlier = [model_id for model_id in trail if model_id != live["model_id"]]
        return earlier[-1] if earlier else None

    def _release(self, action: str, model_id: str, *, share: float | None = None, **words: str) -> dict[str, Any]:
        entry = self.store.add_release(self.name, action=action, model_id=model_id, share=share, **words)
        self._take_up()
        return entry

    def _take_up(self) -> None:
        if "stage" in self.__dict__:
            self.refresh()
