"""Who meets which model while a shadow or canary is under way: one lot for each user, drawn anew for each release."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import blake2b

from feilun.records import Challenge

N_BUCKETS = 10_000  # so a share is kept to a hundredth of a per cent


@dataclass(frozen=True)
class Draw:
    """Where the lot of one request fell."""

    challenge: Challenge
    bucket: int

    @property
    def is_challenged(self) -> bool:
        """Whether the challenger has a part in the answer."""
        return self.bucket < challenged_buckets(self.challenge.share)

    @property
    def answers_with(self) -> str | None:
        """The challenger's id where a canary answers the request; None where the champion does."""
        return self.challenge.model_id if self.challenge.action == "canary" and self.is_challenged else None


def draw(challenge: Challenge, *, user: str | None) -> Draw:
    """The lot of a request.

    A user's lot is a keyed hash, so every process draws the same, and another one in the next release. Without a user
    there is nothing to be faithful to: each request is drawn by itself. Only the bucket is ever stored: thousands of
    users share one, so nobody's key can be found out by trying.
    """
    if user is None:
        return Draw(challenge, secrets.randbelow(N_BUCKETS))
    digest = blake2b(user.encode(), key=challenge.release_id.encode(), digest_size=8).digest()
    return Draw(challenge, int.from_bytes(digest) % N_BUCKETS)


def challenged_buckets(share: float) -> int:
    """How many of the buckets are the challenger's: those with the lowest numbers."""
    return max(1, round(share * N_BUCKETS))
