"""Judge a model (`judge`) and tell a person what was found (`describe`)."""

from feilun.evaluate.arrays import ChampionView, Judgement, ValidationArrays
from feilun.evaluate.report import describe
from feilun.evaluate.run import judge

__all__ = ["ChampionView", "Judgement", "ValidationArrays", "describe", "judge"]
