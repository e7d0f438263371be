"""A challenger on a share of the real traffic: shadow, canary, and the guard that ends one that does worse."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from feilun.project.errors import AnswersAlready, GoalNotMet, NothingBeside, NothingToStop, ShareOutOfRange
from feilun.project.releases import ReleaseVerbs
from feilun.records import Challenge, Difference, ShadowTraffic, Traffic

if TYPE_CHECKING:
    from feilun.release import Verdict

log = logging.getLogger(__name__)
GUARD = "guard"  # who acts where nobody does
ENDINGS = {
    "rollback": ("Rolled back by the guard.", "由护栏自动回滚。"),
    "promote": ("Promoted by the guard.", "由护栏自动上线。"),
}
MAX_DIFFERENCES = 1000


class TrafficVerbs(ReleaseVerbs):
    """Who answers which part of the traffic."""

    def shadow(self, model_id: str, *, actor: str, share: float = 1.0, reason: str = "") -> dict[str, Any]:
        """Let a model answer beside the champion, on a share of the traffic; what it says is kept, and never shown.

        It needs to reach no goal: nobody sees its answers. Another shadow or canary ends with it.

        Raises:
            NothingBeside, AnswersAlready, ShareOutOfRange: it could not be compared.
            BundleDamaged: the bundle is not what was sealed.
        """
        self._check_challenger(model_id, share=share)
        self.verify_model(model_id)
        return self._release(
            "shadow",
            model_id,
            share=share,
            actor=actor,
            reason_code="by_hand",
            en=f"A shadow on {_share(share, ' ')} of the traffic, begun by {actor}. {reason}".strip(),
            zh=f"由 {actor} 开始影子运行，流量比例 {_share(share)}。{reason}",
        )

    def canary(
        self, model_id: str, *, actor: str, share: float = 0.1, reason: str = "", override: bool = False
    ) -> dict[str, Any]:
        """Let a model answer a share of the traffic for real. One that misses the goal needs `override` and a reason.

        A user keeps to one model while it lasts; the next canary, also of the same model, draws anew. Another shadow or
        canary ends with it. The guard of [release] may end it, see `watch_canary`.

        Raises:
            GoalNotMet: the goal is the law.
            NothingBeside, AnswersAlready, ShareOutOfRange: it could not be compared.
            BundleDamaged: the bundle is not what was sealed.
        """
        self._check_challenger(model_id, share=share)
        meets_goal = self._may_go_live(model_id, actor=actor, override=override, reason=reason)
        over, over_zh = ("", "") if meets_goal else (" over the goal", "越过目标")
        return self._release(
            "canary",
            model_id,
            share=share,
            actor=actor,
            reason_code="by_hand" if meets_goal else "override",
            en=f"A canary on {_share(share, ' ')} of the traffic, begun by {actor}{over}. {reason}".strip(),
            zh=f"由 {actor} {over_zh}开始灰度，流量比例 {_share(share)}。{reason}",
        )

    def stop(self, *, actor: str, reason: str = "") -> dict[str, Any]:
        """End the shadow or canary that is under way; the champion answers everything.

        Raises:
            NothingToStop: there is none.
        """
        challenge = self.store.find_challenge(self.name)
        entry = challenge and self.store.end_challenge(
            self.name,
            challenge,
            action="stop",
            model_id=challenge.model_id,
            actor=actor,
            reason_code="by_hand",
            en=f"The {challenge.action} was stopped by {actor}. {reason}".strip(),
            zh=f"由 {actor} 停止{'灰度' if challenge.action == 'canary' else '影子运行'}。{reason}",
        )
        if not entry:
            raise NothingToStop(project=self.name)
        self._take_up()
        return entry

    def traffic(self, *, limit: int = 20) -> Traffic:
        """Which models answer, with what share, and how the two compare.

        Args:
            limit: most messages to show that a shadow answered otherwise, latest first.
        """
        champion, challenge = self.store.find_champion(self.name), self.store.find_challenge(self.name)
        if challenge is None:
            return Traffic(champion_id=champion)
        trouble = self._challenger_trouble
        error = trouble[1] if trouble is not None and trouble[0] == challenge.release_id else None
        told = {f"trouble_{lang}": "" if error is None else error.message(lang) for lang in ("en", "zh")}
        if challenge.action == "shadow":
            shadow = self._shadow_traffic(challenge, limit=min(limit, MAX_DIFFERENCES))
            return Traffic(champion_id=champion, challenge=challenge, state="shadow", shadow=shadow, **told)
        verdict = self._judge(challenge)
        seen = {name: getattr(verdict, name) for name in ("arms", "guards", "state", "en", "zh")}
        return Traffic(champion_id=champion, challenge=challenge, **seen, **told)

    def watch_canary(self) -> dict[str, Any] | None:
        """End the canary that does worse than the champion, or promote the one that has proven itself.

        A server does this every second; of several servers, one writes it into the log. The goal is the law here too: a
        model that misses it is promoted by a person or not at all.

        Returns:
            The entry of the release log; None when the canary goes on, or there is none.
        Raises:
            BundleDamaged: a model that was to be promoted is not what was sealed.
        """
        canary = self.store.find_challenge(self.name)
        if canary is None or canary.action != "canary":
            return None
        verdict = self._judge(canary)
        if verdict.state == "worse":
            action, model_id = "rollback", canary.champion_id
        elif verdict.state == "proven" and self._meets_goal(canary.model_id):
            action, model_id = "promote", canary.model_id
        else:
            return None
        en, zh = ENDINGS[action]
        entry = self.store.end_challenge(
            self.name,
            canary,
            action=action,
            model_id=model_id,
            actor=GUARD,
            reason_code=f"guard_{verdict.state}",
            en=f"{en} {verdict.en}",
            zh=f"{zh}{verdict.zh}",
        )
        if entry is not None:
            log.info("canary of %s: %s", self.name, entry["en"])
            self._take_up()
        return entry

    def _check_challenger(self, model_id: str, *, share: float) -> None:
        if not 0 < share <= 1:
            raise ShareOutOfRange(share=share)
        self.get_model(model_id)
        champion = self.store.find_champion(self.name)
        if champion is None:
            raise NothingBeside(project=self.name)
        if champion == model_id:
            raise AnswersAlready(model_id=model_id)

    def _meets_goal(self, model_id: str) -> bool:
        try:
            return self._may_go_live(model_id, actor=GUARD, override=False, reason="")
        except GoalNotMet:
            return False

    def _judge(self, canary: Challenge) -> Verdict:
        from feilun.release import judge

        rows = self.store.count_by_bucket(self.name, canary.release_id)
        return judge(rows, canary, settings=self.settings.release)

    def _shadow_traffic(self, shadow: Challenge, *, limit: int) -> ShadowTraffic:
        rows = self.store.list_differences(self.name, shadow.release_id, limit=limit)
        counts = self.store.count_shadow(self.name, shadow.release_id)
        return ShadowTraffic(differences=tuple(Difference.model_validate(row) for row in rows), **counts)


def _share(share: float, space: str = "") -> str:
    return f"{100 * share:.4g}{space}%"
