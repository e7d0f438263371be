"""The tables of a workspace. Times are ISO 8601 in UTC; JSON columns hold canonical JSON text."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from feilun.store.chain import MAX_ACTOR, MAX_SUBJECT

metadata = sa.MetaData()


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware datetime, kept as ISO text so that SQLite and PostgreSQL give back the same."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


def _key() -> sa.Column[int]:
    # BigInteger would not auto-increment in SQLite.
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("disabled_at", UtcTime),
)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False, server_default="house"),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    _key(),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("turn_id", sa.String(40), nullable=False, default=""),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_events_project", "project", "seq"),
)

turns = sa.Table(
    "turns",
    metadata,
    _key(),
    sa.Column("turn_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),  # running, done, failed, cancelled
    sa.Column("requested_by", sa.String(64), nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("budget_s", sa.Float, nullable=False),
    sa.Column("dataset_id", sa.String(40)),
    sa.Column("model_id", sa.String(40)),
    sa.Column("last_feedback_seq", sa.BigInteger, nullable=False, default=0),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("paused_at", UtcTime),  # of a running turn that nobody works at until it is resumed
    sa.Column("finished_at", UtcTime),
    sa.Index("ix_turns_project", "project", "seq"),
)

turn_requests = sa.Table(
    "turn_requests",
    metadata,
    _key(),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("trigger", sa.String(32), nullable=False),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("turn_id", sa.String(40)),
    sa.Index("ix_turn_requests_open", "project", "turn_id"),
)

compressions = sa.Table(
    "compressions",
    metadata,
    _key(),
    sa.Column("compression_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("model_id", sa.String(40), nullable=False),  # of which a smaller form is wanted
    sa.Column("status", sa.String(16), nullable=False),  # waiting, running, done, failed
    sa.Column("asked", sa.JSON, nullable=False),
    sa.Column("requested_by", sa.String(64), nullable=False),
    sa.Column("n_crashes", sa.Integer, nullable=False),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Index("ix_compressions_project", "project", "seq"),
)

models = sa.Table(
    "models",
    metadata,
    _key(),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("model_id", sa.String(40), nullable=False),
    sa.Column("turn_id", sa.String(40), nullable=False),
    sa.Column("dataset_id", sa.String(40), nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
    sa.Column("size_mb", sa.Float, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("project", "model_id", name="uq_models"),
)

# Append-only: triggers refuse UPDATE and DELETE.
releases = sa.Table(
    "releases",
    metadata,
    _key(),
    sa.Column("release_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),  # promote, rollback, reject, shadow, canary, stop
    sa.Column("model_id", sa.String(40), nullable=False),
    sa.Column("previous_model_id", sa.String(40)),
    sa.Column("turn_id", sa.String(40)),
    sa.Column("actor", sa.String(MAX_ACTOR), nullable=False),
    sa.Column("reason_code", sa.String(32), nullable=False),
    sa.Column("en", sa.Text, nullable=False),
    sa.Column("zh", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("share", sa.Float),  # of the traffic, of a shadow or canary
    sa.Index("ix_releases_project", "project", "seq"),
)

predictions = sa.Table(
    "predictions",
    metadata,
    _key(),
    sa.Column("prediction_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("model_id", sa.String(40), nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("example_id", sa.String(40), nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("alternatives", sa.JSON, nullable=False),
    # How much a label would teach; the review queue is ordered by it.
    sa.Column("teach", sa.Float, nullable=False),
    sa.Column("queue_state", sa.String(12), nullable=False),  # none, open, labelled, skipped
    sa.Column("latency_ms", sa.Float, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    # Of the shadow or canary that was under way: its entry in the release log, and where the lot of the user fell.
    sa.Column("release_id", sa.String(40)),
    sa.Column("bucket", sa.Integer),
    sa.Index("ix_predictions_queue", "project", "queue_state", "teach"),
    sa.Index("ix_predictions_example", "project", "example_id"),
    sa.Index(
        "ix_predictions_release",
        "release_id",
        "bucket",
        sqlite_where=sa.text("release_id IS NOT NULL"),
        postgresql_where=sa.text("release_id IS NOT NULL"),
    ),
)

# What a shadow would have said; never shown to who asked.
shadow_answers = sa.Table(
    "shadow_answers",
    metadata,
    _key(),
    sa.Column("prediction_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("release_id", sa.String(40), nullable=False),
    sa.Column("model_id", sa.String(40), nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("agrees", sa.Boolean, nullable=False),  # the labels are the champion's
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_shadow_answers_release", "release_id", "agrees", "seq"),
)

feedback = sa.Table(
    "feedback",
    metadata,
    _key(),
    sa.Column("feedback_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("prediction_id", sa.String(40)),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("example_id", sa.String(40), nullable=False),
    sa.Column(
        "labels", sa.JSON(none_as_null=True)
    ),  # the right labels, when feedback says them (a label, or a thumb up)
    sa.Column("thumb", sa.String(4)),
    sa.Column("edited_text", sa.Text),
    sa.Column("comment", sa.Text),
    sa.Column("actor", sa.String(MAX_ACTOR), nullable=False),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("contradicts", sa.Boolean),  # whether it speaks against the answer; empty without one
    sa.UniqueConstraint("project", "idempotency_key", name="uq_feedback_idempotency"),
    sa.Index("ix_feedback_project", "project", "seq"),
    sa.Index("ix_feedback_prediction", "project", "prediction_id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _key(),
    sa.Column("key_id", sa.String(40), nullable=False, unique=True),
    sa.Column("tenant", sa.String(64)),  # empty: the operator's
    sa.Column("project", sa.String(64)),  # empty: every project of the tenant, or of the workspace
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("previous_hash", sa.String(64)),  # of the secret before a rotation, which opens until previous_until
    sa.Column("previous_until", UtcTime),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Column("last_used_at", UtcTime),  # to the minute
    sa.Index("ix_api_keys_previous", "previous_hash", unique=True),
)

# People who sign in to the console. A password is kept as its scrypt hash, a one-time code as its SHA-256.
people = sa.Table(
    "people",
    metadata,
    _key(),
    sa.Column("person_id", sa.String(40), nullable=False, unique=True),
    sa.Column("tenant", sa.String(64)),  # empty: an operator of the whole workspace
    sa.Column("sign_in_name", sa.String(MAX_ACTOR), nullable=False, unique=True),  # of a tenant's: name@tenant
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password_hash", sa.String(200)),  # empty until the person has chosen one
    sa.Column("code_hash", sa.String(64), unique=True),  # of the code with which they choose it
    sa.Column("code_until", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("disabled_at", UtcTime),
)

sessions = sa.Table(
    "sessions",
    metadata,
    _key(),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("person_id", sa.String(40), nullable=False),
    sa.Column("tenant", sa.String(64)),  # the person's
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("last_used_at", UtcTime, nullable=False),  # to the minute
    sa.Column("ended_at", UtcTime),
    sa.Index("ix_sessions_person", "person_id"),
)

# Who tried to sign in, as buckets of tries (see `store.limits`); a row is there only while its bucket is not full.
knocks = sa.Table(
    "knocks",
    metadata,
    sa.Column("subject", sa.String(64), primary_key=True),  # a hash of the name or the address
    sa.Column("full_at", sa.Float(53), nullable=False),
)

# Append-only, and chained: see `feilun.store.chain`. Times and details are texts, which is what is hashed.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),  # empty: the workspace as a whole
    sa.Column("actor", sa.String(MAX_ACTOR), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(MAX_SUBJECT), nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_project", "project", "seq"),
)

# One row: where the chain ends, signed, so that a cut is seen.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(64), nullable=False),
)

# Who turns which project, see `feilun.store.leases`. The row of a project stays, so that its token only grows.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),  # a process, see `feilun.process.identity`; empty: free
)

# Messages on people's desks, see `feilun.store.claims`.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("example_id", sa.String(40), primary_key=True),
    sa.Column("desk", sa.String(64), nullable=False),
    sa.Column("until", UtcTime, nullable=False),
)

# One row: the database's own id, and whether a workspace folder was marked with it, see `feilun.store.marks`.
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("database_id", sa.String(40), primary_key=True),
    sa.Column("is_folder_marked", sa.Boolean, nullable=False),
)

# What a key or a tenant may use. `full_at` is the moment at which its bucket of permits is full again, in seconds of
# the database's clock: all that the servers on one store have to agree on, see `store.limits`.
limits = sa.Table(
    "limits",
    metadata,
    sa.Column("subject", sa.String(8), primary_key=True),  # key, tenant
    sa.Column("subject_id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64)),  # whose the key is; null for the operator's
    sa.Column("project", sa.String(64)),  # the only one that the key opens
    sa.Column("per_minute", sa.Integer),
    sa.Column("burst", sa.Integer),
    sa.Column("monthly_requests", sa.BigInteger),
    sa.Column("monthly_characters", sa.BigInteger),
    sa.Column("full_at", sa.Float(53), nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
)

# Append-only: triggers refuse UPDATE and DELETE. A row is what one server saw of one kind of request in one commit.
usage = sa.Table(
    "usage",
    metadata,
    _key(),
    sa.Column("minute", UtcTime, nullable=False),  # in which the requests came
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),  # empty: about the workspace as a whole
    sa.Column("key_id", sa.String(40), nullable=False),  # empty: from this machine, without a key
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("server", sa.String(40), nullable=False),
    sa.Column("n_requests", sa.BigInteger, nullable=False),
    sa.Column("n_inputs", sa.BigInteger, nullable=False),
    sa.Column("n_characters", sa.BigInteger, nullable=False),
    sa.Column("n_tokens", sa.BigInteger, nullable=False),
    sa.Column("cpu_ms", sa.Float(53), nullable=False),
    sa.Index("ix_usage_minute", "minute"),
)

# How often something was answered in an hour, see `feilun.store.tallies`; added up for the monitor.
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("hour", UtcTime, primary_key=True),
    sa.Column("part", sa.String(16), primary_key=True),  # decision, confidence, latency, label, feedback
    sa.Column("value", sa.Text, primary_key=True),  # of decision, label and feedback the word, else the bin
    sa.Column("writer", sa.String(40), primary_key=True),  # each process adds to rows of its own
    sa.Column("n", sa.BigInteger, nullable=False),
)

# The same by day, for what looks back over months: written in the same commit, by the same lines, and never by others.
tally_days = sa.Table(
    "tally_days",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("day", UtcTime, primary_key=True),
    sa.Column("part", sa.String(16), primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("writer", sa.String(40), primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
)

# How many requests about a project came and failed, see `feilun.store.outcomes`; each process adds to rows of its own.
outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("minute", UtcTime, primary_key=True),
    sa.Column("writer", sa.String(40), primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("n_failed", sa.BigInteger, nullable=False),
)

# How each rule of a project stands, see `feilun.store.alerts`.
alert_states = sa.Table(
    "alert_states",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("rule", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # ok, firing
    sa.Column("occasion", sa.String(40), nullable=False),  # the turn or release that it was about last; may be empty
    sa.Column("since", UtcTime),  # when it fired or was resolved last
)

# Alerts on their way, and the latest ones that arrived or were given up.
alert_deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    _key(),
    sa.Column("delivery_id", sa.String(40), nullable=False, unique=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("format", sa.String(16), nullable=False),
    sa.Column("event", sa.String(16), nullable=False),  # fired, resolved, test
    sa.Column("rule", sa.String(32), nullable=False),  # empty: a test
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # waiting, delivered, failed
    sa.Column("n_tries", sa.Integer, nullable=False),
    sa.Column("next_at", UtcTime),
    sa.Column("leased_until", UtcTime),  # one server has it in hand until then
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Index("ix_alert_deliveries_project", "project", "seq"),
    sa.Index("ix_alert_deliveries_due", "project", "state", "next_at"),
)
