"""Two models of a project side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feilun.project.examples import ExampleVerbs

if TYPE_CHECKING:
    from feilun.evaluate import Flip, ModelComparison


class ComparingVerbs(ExampleVerbs):
    """What another model would change, message by message."""

    def compare_models(
        self,
        old: str,
        new: str,
        *,
        kind: Flip | None = None,
        gold: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> ModelComparison:
        """What `new` fixes and breaks against `old`, on the held-out messages that both were judged on.

        Args:
            kind: only these messages: "fixed", "broken", or "changed" (both wrong, differently); None: all that flip.
            gold: only messages with this label in the data; "" for none.
            after: how many have been seen; `next_after` of the page before.
        Raises:
            NotFound: there is no such model.
            JudgedGone: what one of them said of single messages is not kept.
            NothingInCommon, OtherTask: they cannot be compared.
        """
        from feilun.evaluate import line_up
        from feilun.release import standing

        both = line_up(self._judged(old), self._judged(new))
        test = both.test(level=self.settings.evaluate.confidence_level)
        verdict = standing(test, significance=self.settings.goal.significance)
        return both.page(test, verdict=verdict, kind=kind, gold=gold, after=after, limit=limit)
