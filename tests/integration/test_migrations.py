import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from delivery.adapters.ledger.sql import is_current, upgrade
from delivery.adapters.ledger.sql.engine import Database
from delivery.adapters.ledger.sql.migrate import scripts
from delivery.adapters.ledger.sql.tables import METADATA
from delivery.ports.errors import PortError
from tests.wheel import unpacked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(each_database: str, tmp_path: Path) -> str:
    """SQLite's lies in a folder whose name Alembic's configuration would read as a placeholder."""
    (tmp_path / "100%").mkdir()
    return each_database.replace(f"{tmp_path}/", f"{tmp_path}/100%/")


@contextmanager
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    try:
        yield opened
    finally:
        opened.close()


def differences(url: str) -> list[object]:
    with database(url) as opened, opened.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, METADATA))


def test_migrations_make_what_the_code_uses(url: str) -> None:
    assert differences_of_nothing(url)
    upgrade(url)
    assert differences(url) == []


def differences_of_nothing(url: str) -> bool:
    """Whether the comparison can tell a difference at all."""
    return len(differences(url)) >= len(METADATA.tables)


def test_indexes_are_partial_and_unique_where_the_code_relies_on_it(url: str) -> None:
    upgrade(url)
    with database(url) as opened, opened.read() as connection:
        found = {index["name"]: index for index in inspect(connection).get_indexes("release")}
        due = {index["name"]: index for index in inspect(connection).get_indexes("target")}["ix_target_due"]
    kind = url.partition(":")[0].partition("+")[0]
    assert found["uq_release_running"]["unique"]
    assert str(found["uq_release_running"]["dialect_options"][f"{kind}_where"]) == "running"
    assert "due_at IS NOT NULL" in str(due["dialect_options"][f"{kind}_where"])


def test_an_upgrade_of_what_is_new_changes_nothing(url: str) -> None:
    upgrade(url)
    with database(url) as opened, opened.write() as connection:
        connection.execute(text("INSERT INTO stop (scope, \"by\", reason, since) VALUES ('*', 'bob', 'why', 1)"))
    upgrade(url)
    with database(url) as opened, opened.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM stop")).scalar_one() == 1
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [head()]


def head() -> str:
    found = ScriptDirectory(str(scripts())).get_current_head()
    assert found is not None
    return found


def test_processes_that_upgrade_at_once_do_it_once(url: str) -> None:
    errors: list[BaseException] = []
    ready = threading.Barrier(3)
    program = "import sys; from delivery.adapters.ledger.sql import upgrade; sys.stdin.readline(); upgrade(sys.argv[1])"

    def run() -> None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", program, url], cwd=ROOT, stdin=-1, stderr=-1, text=True
            )
            ready.wait(30)
            _, told = process.communicate("\n", timeout=60)
            assert process.returncode == 0, told
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert errors == []
    assert differences(url) == []


def test_a_downgrade_leaves_nothing(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    upgrade(url)
    config = Config(toml_file=ROOT / "pyproject.toml")
    with database(url) as opened:
        with opened.write() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
        with opened.read() as connection:
            assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def test_a_migration_that_fails_leaves_the_schema_as_it_was(url: str, tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    folder = tmp_path / "scripts"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((scripts() / "env.py").read_text())
    first = "revision = '1'\ndown_revision = None\n"
    body = "def upgrade():\n    op.execute('CREATE TABLE half (a int)')\n    op.execute('CREATE TABLE half (a int)')\n"
    (folder / "versions" / "1.py").write_text(f"from alembic import op\n{first}{body}")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))

    def run(opened: Database) -> None:
        with opened.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    with database(url) as opened:
        with pytest.raises(PortError, match="half"):
            run(opened)
        with opened.read() as connection:
            assert inspect(connection).get_table_names() == []


def test_the_library_is_not_shadowed() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
    program = "from alembic import command, context; import alembic; print(alembic.__file__)"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "site-packages" in found.stdout


def test_a_wheel_brings_its_migrations(tmp_path: Path) -> None:
    installed = unpacked(tmp_path)
    url = f"sqlite:///{tmp_path}/wheel.db"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from delivery.adapters.ledger.sql import upgrade; from delivery.adapters.ledger.sql.migrate import scripts;"
        "upgrade(sys.argv[2]); print(scripts())"
    )
    command = [sys.executable, "-W", "error", "-P", "-c", program, str(installed), url]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(installed / "delivery" / "_migrations")
    assert differences(url) == []


def test_a_schema_is_current_once_it_is_migrated(url: str) -> None:
    assert not is_current(url)
    upgrade(url)
    assert is_current(url)


def test_a_newer_versions_schema_is_left_as_it_is(url: str) -> None:
    """The service itself was taken back to this version: its schema only grew, so it still fits."""
    upgrade(url)
    with database(url) as opened, opened.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert is_current(url)
    upgrade(url)
    with database(url) as opened, opened.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
