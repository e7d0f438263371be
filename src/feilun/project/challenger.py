"""A challenger beside the champion: on stage while a shadow or canary is under way, and asked as the lot falls."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from feilun.errors import FeilunError
from feilun.logs import place
from feilun.project.base import Base
from feilun.records import Challenge

if TYPE_CHECKING:
    from feilun.release import Draw
    from feilun.serve.engine import ServedInFull, Stage

log = logging.getLogger(__name__)
AFTER_FAILURE_S = 5.0  # a damaged challenger is looked at again this often


class ChallengerVerbs(Base):
    """What a challenger needs of a project."""

    def _refresh_challenger(self, stage: Stage, wanted: Challenge | None) -> None:
        """Take up the shadow or canary that is under way, or let go of one that has ended.

        One that cannot be loaded is tried again later; until then the champion answers everything, as if there were
        none.
        """
        if wanted is None or not stage.is_ready:
            self._challenger_trouble = None
            stage.end_challenge()
        elif wanted != self._challenge and not self._has_failed_lately(wanted):
            try:
                if stage.challenger_id != wanted.model_id:
                    stage.challenge(self.store.model_path(wanted.model_id))
            except FeilunError as error:
                stage.end_challenge()
                self._try_challenger_at = time.monotonic() + AFTER_FAILURE_S
                self._challenger_trouble = (wanted.release_id, error)
                log.error("challenger of %s: %s", self.name, error.message("en"))
            else:
                self._challenge, self._challenger_trouble = wanted, None

    def _has_failed_lately(self, challenge: Challenge) -> bool:
        trouble = self._challenger_trouble
        is_same = trouble is not None and trouble[0] == challenge.release_id
        return is_same and time.monotonic() < self._try_challenger_at

    def _draw(self, user: str | None) -> Draw | None:
        """Where the lot of a request falls; None while neither a shadow nor a canary is on stage."""
        challenge = self._challenge
        if challenge is None:
            return None
        from feilun.release import draw

        return draw(challenge, user=user)

    def _ask_shadow(
        self, stage: Stage, challenge: Challenge, *, inputs: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]
    ) -> None:
        """Ask the shadow what the champion was asked. Nobody waits for it, and it makes nobody wait: while messages
        wait for the engine, it is left out."""
        from feilun.feedback import DISAGREEMENT_TEACHES, shadow_row

        asked = [(given, row) for given, row in zip(inputs, rows, strict=True) if row["reason"] != "memory"]
        if not asked or stage.is_busy:
            return

        def keep(said: ServedInFull) -> None:
            if said.model_id == challenge.model_id:  # else it has ended meanwhile
                both = zip(asked, said.answers, strict=True)
                kept = [shadow_row(row, answer, model_id=said.model_id) for (_, row), answer in both]
                self.store.add_shadow_answers(kept, teach=DISAGREEMENT_TEACHES)

        done = stage.ask([given for given, _ in asked], then=keep, model_id=challenge.model_id)
        done.add_done_callback(self._log_failed_shadow)

    def _log_failed_shadow(self, done: Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("shadow of %s: %s", self.name, place(error))
