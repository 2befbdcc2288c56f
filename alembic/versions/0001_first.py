"""Everything that the first release stores"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    target()
    release()
    measurements()
    queues()
    orders()


def target() -> None:
    op.create_table(
        "target",
        sa.Column("id", NAME, nullable=False),
        sa.Column("service", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("due_why", sa.String(), nullable=False),
        sa.Column("woken_at", sa.BigInteger(), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("settled_epoch", sa.BigInteger(), nullable=True),
        sa.Column("settled_release", NAME, nullable=True),
        sa.Column("settled_dseq", sa.Integer(), nullable=True),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_target"),
    )
    partial_index("ix_target_due", "target", ["urgent", "due_at", "cluster"], "due_at IS NOT NULL")
    op.create_index("ix_target_service", "target", ["service"])
    op.create_table(
        "target_state",
        sa.Column("id", NAME, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["target.id"], name="fk_target_state_id"),
        sa.PrimaryKeyConstraint("id", name="pk_target_state"),
    )


def release() -> None:
    op.create_table(
        "release",
        sa.Column("id", NAME, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("service", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(), nullable=False),
        sa.Column("shape", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["target"], ["target.id"], name="fk_release_target"),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
    )
    partial_index("uq_release_running", "release", ["target"], "running", unique=True)
    partial_index("ix_release_open", "release", ["id"], "NOT closed", lite="closed = 0")
    op.create_index("ix_release_service", "release", ["service", "id"])
    op.create_index("ix_release_cluster", "release", ["cluster", "id"])
    op.create_index("ix_release_phase", "release", ["phase", "id"])
    op.create_index("ix_release_actor", "release", ["actor", "id"])
    op.create_index("ix_release_version", "release", ["version", "id"])
    op.create_index("ix_release_number", "release", ["number", "service"])
    op.create_index("ix_release_created", "release", ["created_at"])
    op.create_table(
        "event",
        sa.Column("release", NAME, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("prev", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["release.id"], name="fk_event_release"),
        sa.PrimaryKeyConstraint("release", "seq", name="pk_event"),
    )


def measurements() -> None:
    op.create_table(
        "measuring",
        sa.Column("release", NAME, nullable=False),
        sa.Column("tick", sa.Integer(), nullable=False),
        sa.Column("dseq", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("ticks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("release", name="pk_measuring"),
    )
    op.create_table(
        "segment",
        sa.Column("release", NAME, nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("ticks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("release", "first", name="pk_segment"),
    )


def queues() -> None:
    op.create_table(
        "inbox",
        sa.Column("source", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name="pk_inbox"),
    )
    op.create_index("ix_inbox_state", "inbox", ["state", "received_at"])
    op.create_table(
        "outbox",
        sa.Column("key", NAME, nullable=False),
        sa.Column("channel", NAME, nullable=False),
        sa.Column("release", NAME, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("call", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
    )
    op.create_index("ix_outbox_state", "outbox", ["state", "due_at"])
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )


def orders() -> None:
    op.create_table(
        "service",
        sa.Column("name", NAME, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("applied_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_service"),
    )
    op.create_table(
        "stop",
        sa.Column("scope", NAME, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_stop"),
    )
    op.create_table(
        "worker",
        sa.Column("name", NAME, nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_worker"),
    )
    op.create_table(
        "lease",
        sa.Column("name", NAME, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )


def partial_index(
    name: str, table: str, columns: list[str], where: str, *, lite: str | None = None, unique: bool = False
) -> None:
    """`lite` is how SQLite has to be told, which compares conditions by their words."""
    whole, lite_where = sa.text(where), sa.text(lite or where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=lite_where, postgresql_where=whole)


def downgrade() -> None:
    for table in (
        "event", "target_state", "release", "target", "measuring", "segment", "inbox", "outbox", "alert", "service",
        "stop", "worker", "lease",
    ):  # fmt: skip
        op.drop_table(table)
