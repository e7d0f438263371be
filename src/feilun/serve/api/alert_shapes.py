"""Rules, targets and what became of alerts, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from feilun.records import AlertRule
from feilun.serve.api.shapes import Shape

Trouble = dict[str, Any] | None


class AlertRuleRow(Shape):
    """A rule that is on."""

    rule: AlertRule = Field(description="Its key in [alerts].")
    state: Literal["ok", "firing", "unknown"] = Field(description="unknown: too little to say.")
    value: float | None = Field(description="As it reads now, in the unit of the key; null: none, or nobody knows.")
    limit: float | None = Field(description="As the settings have it; null for a rule that has none.")
    occasion: str = Field(description="The turn or release that it is about; empty for other rules.")
    since: datetime | None = Field(description="When it fired or was resolved last; null: never.")


class AlertTargetRow(Shape):
    """Where alerts go. Neither the address nor the secret is shown."""

    name: str
    format: Literal["json", "slack", "wecom", "dingtalk", "feishu"]
    host: str = Field(description="Empty when the address cannot be used.")
    is_signed: bool = Field(description="Whether a secret is named.")
    trouble: Trouble = Field(description="Why nothing can be sent there: code, en, zh. Null when it can.")


class AlertsReply(Shape):
    """How the rules stand, and who is told."""

    rules: list[AlertRuleRow]
    targets: list[AlertTargetRow] = Field(description="Without any, nobody is told.")


class AlertDeliveryRow(Shape):
    """An alert to one target."""

    delivery_id: str = Field(description="The same for each try; of format json the header webhook-id.")
    target: str
    format: str
    event: Literal["fired", "resolved", "test"]
    rule: str = Field(description="Empty for a test.")
    state: Literal["waiting", "delivered", "failed"]
    n_tries: int
    error: Trouble = Field(description="What the latest try came to: code, en, zh. Null when it arrived.")
    en: str
    zh: str
    created_at: datetime
    next_at: datetime | None = Field(description="When it is tried next, while it waits.")
    finished_at: datetime | None


class AlertLog(Shape):
    deliveries: list[AlertDeliveryRow] = Field(description="Latest first; the server keeps 500 of a project.")


class AlertTestRequest(Shape):
    """Whom to send a test."""

    to: str | None = Field(None, description="Name of a target; absent: all of them.", examples=["ops"])
