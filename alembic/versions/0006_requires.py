"""Which format a target's bytes need"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default is for the version before, which adds targets without saying it.
    op.add_column("target", sa.Column("requires", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("target", "requires")
