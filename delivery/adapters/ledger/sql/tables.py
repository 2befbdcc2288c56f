"""The tables. What is hashed or folded is kept as bytes: a JSON type would reorder it. Times are microseconds.

Columns beside a body are projections of it, for conditions and for people's filters.
"""

from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, Index, MetaData, String, Table, text
from sqlmodel import Field, SQLModel

NAME: Any = String().with_variant(String(collation="C"), "postgresql")
"""Sorted by its bytes everywhere, as Python sorts it."""
_LIVE_RELEASE = "running"
_ENDED = "finished_at IS NOT NULL"


class Base(SQLModel):
    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )


class TargetRow(Base, table=True):
    """Kept narrow: it is rewritten at every tick. `woken_at` is when somebody else made it due during a claim."""

    __tablename__ = "target"
    __table_args__ = (
        Index(
            "ix_target_due",
            "urgent",
            "due_at",
            "cluster",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
    id: str = Field(primary_key=True, sa_type=NAME)
    service: str = Field(index=True, sa_type=NAME)
    cluster: str = Field(sa_type=NAME)
    version: int = Field(sa_type=BigInteger)
    epoch: int = Field(sa_type=BigInteger)
    writer: str
    owner: str
    lease_until: int = Field(sa_type=BigInteger)
    due_at: int | None = Field(sa_type=BigInteger)
    due_why: str
    woken_at: int | None = Field(sa_type=BigInteger)
    urgent: bool
    settled_epoch: int | None = Field(sa_type=BigInteger)
    settled_release: str | None = Field(sa_type=NAME)
    settled_dseq: int | None
    content: str
    written_at: int = Field(sa_type=BigInteger)
    failures: int
    quarantined: str | None
    requires: int = Field(sa_column_kwargs={"server_default": "1"})


class TargetState(Base, table=True):
    """The pure state of a target."""

    __tablename__ = "target_state"
    id: str = Field(primary_key=True, sa_type=NAME, foreign_key="target.id")
    body: bytes


class ReleaseRow(Base, table=True):
    """The newest state of a release. The database itself keeps two of them from running at one target.

    `body` is what its events fold to, kept so that not every read has to; `shape` says who can read it.
    """

    __tablename__ = "release"
    __table_args__ = (
        Index(
            "uq_release_running",
            "target",
            unique=True,
            sqlite_where=text(_LIVE_RELEASE),
            postgresql_where=text(_LIVE_RELEASE),
        ),
        Index("ix_release_open", "id", sqlite_where=text("closed = 0"), postgresql_where=text("NOT closed")),
        Index("ix_release_service", "service", "id"),
        Index("ix_release_cluster", "cluster", "id"),
        Index("ix_release_phase", "phase", "id"),
        Index("ix_release_actor", "actor", "id"),
        Index("ix_release_version", "version", "id"),
        Index("ix_release_number", "number", "service"),
        Index("ix_release_created", "created_at"),
        Index("ix_release_finished", "finished_at", "id", sqlite_where=text(_ENDED), postgresql_where=text(_ENDED)),
    )
    id: str = Field(primary_key=True, sa_type=NAME)
    target: str = Field(sa_type=NAME, foreign_key="target.id")
    service: str = Field(sa_type=NAME)
    cluster: str = Field(sa_type=NAME)
    number: int
    phase: str
    closed: bool
    running: bool
    actor: str
    version: str
    created_at: int = Field(sa_type=BigInteger)
    finished_at: int | None = Field(sa_type=BigInteger)
    seq: int
    head: str
    shape: str
    body: bytes
    erased: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class EventRow(Base, table=True):
    __tablename__ = "event"
    release: str = Field(primary_key=True, sa_type=NAME, foreign_key="release.id")
    seq: int = Field(primary_key=True)
    at: int = Field(sa_type=BigInteger)
    type: str
    body: bytes
    prev: str
    hash: str
    said: bytes | None = None


class MeasuringRow(Base, table=True):
    __tablename__ = "measuring"
    release: str = Field(primary_key=True, sa_type=NAME)
    tick: int
    dseq: int
    evidence: str
    body: bytes
    ticks: bytes


class SegmentRow(Base, table=True):
    __tablename__ = "segment"
    release: str = Field(primary_key=True, sa_type=NAME)
    first: int = Field(primary_key=True)
    hash: str
    ticks: bytes


class InboxRow(Base, table=True):
    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_state", "state", "received_at"),)
    source: str = Field(primary_key=True, sa_type=NAME)
    key: str = Field(primary_key=True, sa_type=NAME)
    digest: str
    received_at: int = Field(sa_type=BigInteger)
    body: bytes
    state: str
    outcome: str
    reason: str
    answer: bytes
    error: str


class OutboxRow(Base, table=True):
    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_state", "state", "due_at"),)
    key: str = Field(primary_key=True, sa_type=NAME)
    channel: str = Field(sa_type=NAME)
    release: str = Field(sa_type=NAME)
    seq: int
    topic: str
    due_at: int = Field(sa_type=BigInteger)
    call: bool
    state: str
    attempts: int
    error: str
    owner: str
    lease_until: int = Field(sa_type=BigInteger)


class PostedRow(Base, table=True):
    """Where a chat has its one message about a release."""

    __tablename__ = "posted"
    release: str = Field(primary_key=True, sa_type=NAME)
    channel: str = Field(primary_key=True, sa_type=NAME)
    at: str


class AlertRow(Base, table=True):
    __tablename__ = "alert"
    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    kind: str
    subject: str
    detail: str


class ServiceRow(Base, table=True):
    __tablename__ = "service"
    name: str = Field(primary_key=True, sa_type=NAME)
    document: bytes
    digest: str
    revision: int
    applied_at: int = Field(sa_type=BigInteger)
    applied_by: str


class StopRow(Base, table=True):
    __tablename__ = "stop"
    scope: str = Field(primary_key=True, sa_type=NAME)
    by: str
    reason: str
    since: int = Field(sa_type=BigInteger)


class WorkerRow(Base, table=True):
    __tablename__ = "worker"
    name: str = Field(primary_key=True, sa_type=NAME)
    heard_at: int = Field(sa_type=BigInteger)
    detail: str


class LeaseRow(Base, table=True):
    __tablename__ = "lease"
    name: str = Field(primary_key=True, sa_type=NAME)
    owner: str
    until: int = Field(sa_type=BigInteger)


class RetentionMarkRow(Base, table=True):
    """How far releases, in the order of their ends, were gone through to take something away."""

    __tablename__ = "retention_mark"
    name: str = Field(primary_key=True, sa_type=NAME)
    at: int = Field(sa_type=BigInteger)
    release: str = Field(sa_type=NAME)


class RecordRow(Base, table=True):
    """The chain of what was done to the history itself. `subject` is the release that a record is about, or nothing."""

    __tablename__ = "record"
    n: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    kind: str
    subject: str = Field(index=True)
    body: bytes
    said: bytes
    prev: str
    hash: str


class ApiTokenRow(Base, table=True):
    __tablename__ = "api_token"
    __table_args__ = (Index("uq_api_token_digest", "digest", unique=True),)
    name: str = Field(primary_key=True, sa_type=NAME)
    digest: str = Field(sa_type=NAME)
    principal: str
    role: str
    groups: bytes
    scope: bytes
    created_at: int = Field(sa_type=BigInteger)
    created_by: str
    expires_at: int | None = Field(sa_type=BigInteger)
    used_at: int | None = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(sa_type=BigInteger)
    revoked_by: str | None


class SessionRow(Base, table=True):
    __tablename__ = "session"
    digest: str = Field(primary_key=True, sa_type=NAME)
    way: str
    name: str
    principal: str
    role: str
    groups: bytes
    until: int = Field(sa_type=BigInteger)


def _table(model: type[SQLModel]) -> Table:
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


METADATA = Base.metadata
TARGET = _table(TargetRow)
TARGET_STATE = _table(TargetState)
RELEASE = _table(ReleaseRow)
EVENT = _table(EventRow)
MEASURING = _table(MeasuringRow)
SEGMENT = _table(SegmentRow)
INBOX = _table(InboxRow)
OUTBOX = _table(OutboxRow)
POSTED = _table(PostedRow)
ALERT = _table(AlertRow)
SERVICE = _table(ServiceRow)
STOP = _table(StopRow)
WORKER = _table(WorkerRow)
LEASE = _table(LeaseRow)
RETENTION_MARK = _table(RetentionMarkRow)
RECORD = _table(RecordRow)
API_TOKEN = _table(ApiTokenRow)
SESSION = _table(SessionRow)
