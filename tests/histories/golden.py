"""Golden histories: of each released schema the bytes as they were stored, and what they have to fold to.

`schema_N/NAME.events` has one stored body a line, `schema_N/NAME.release` the release. `apart_N` has the same stories
with names apart: what people said comes after the body and a tab. To record stories that are new, or all of them
after the schema was raised in `delivery.model.codec`:

    python -m tests.histories.golden
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from delivery.machine.evolve import fold
from delivery.model.codec import GENESIS, SCHEMA, StoredEvent, canon, from_plain, link, seal, to_plain, unseal
from delivery.model.event import Created, Event
from delivery.model.ids import ReleaseId
from delivery.model.release import Release

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Golden:
    form: str
    schema: int
    name: str
    lines: tuple[bytes, ...]
    release: bytes

    @property
    def bodies(self) -> tuple[tuple[bytes, bytes], ...]:
        """Each with what people said in it."""
        return tuple((body, said) for body, _, said in (line.partition(b"\t") for line in self.lines))

    @property
    def facts(self) -> tuple[Event, ...]:
        return tuple(unseal(body, said) for body, said in self.bodies)

    def events(self) -> tuple[StoredEvent, ...]:
        """The bodies as links of their chain."""
        first = self.facts[0]
        assert isinstance(first, Created)
        found: list[StoredEvent] = []
        for seq, ((body, said), event) in enumerate(zip(self.bodies, self.facts, strict=True), start=1):
            kind, prev = type(event).__name__, found[-1].hash if found else GENESIS
            found.append(StoredEvent(first.release, seq, event.at, kind, body, prev, link(prev, body), said))
        return tuple(found)


def recorded() -> Iterator[Golden]:
    """Those of every schema."""
    for path in sorted((*FOLDER.glob("schema_*/*.events"), *FOLDER.glob("apart_*/*.events"))):
        form, _, schema = path.parent.name.partition("_")
        release = path.with_suffix(".release").read_bytes()
        yield Golden(form, int(schema), path.stem, tuple(path.read_bytes().splitlines()), release)


def record(folder: Path, name: str, events: Iterable[Event], salted: bool) -> None:
    """Never over what is there: released bytes do not change."""
    events, prev = list(events), GENESIS
    with (folder / f"{name}.events").open("xb") as file:
        for seq, event in enumerate(events, start=1):
            stored = seal(ReleaseId(name), seq, prev, event, f"{seq:032x}" if salted else "")
            file.write(stored.body + b"\t" * bool(stored.said) + stored.said + b"\n")
            prev = stored.hash
    with (folder / f"{name}.release").open("xb") as file:
        file.write(canon(fold(events)))


def same(release: Release, recorded: bytes) -> bool:
    """Whether it is the recorded release. Fields that are younger than the record have their defaults there."""
    return from_plain(Release, to_plain(release)) == from_plain(Release, json.loads(recorded))


if __name__ == "__main__":
    from tests.histories.stories import STORIES

    for form in ("schema", "apart"):
        folder = FOLDER / f"{form}_{SCHEMA}"
        folder.mkdir(exist_ok=True)
        for name, events in STORIES.items():
            if not (folder / f"{name}.events").exists():
                record(folder, name, events, salted=form == "apart")
