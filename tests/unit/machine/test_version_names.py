"""When what was found running is what was released under another name."""

import pytest

from delivery.model.version import VersionRef

DIGEST = f"sha256:{'a' * 64}"
NAME = "ghcr.io/acme/checkout:1.4.2"
FOUND = VersionRef("1.4.2", DIGEST, f"{NAME}@{DIGEST}")


def test_a_digest_behind_the_name_that_was_released_pins_it() -> None:
    assert FOUND.pins(VersionRef.of("1.4.2", NAME))


@pytest.mark.parametrize(
    "other",
    [
        VersionRef.of("1.4.2", "ghcr.io/acme/checkout:1.4.3"),
        VersionRef.of("1.4.2", f"{NAME}@sha256:{'b' * 64}"),
        VersionRef.of("1.4.2", NAME, "4be1d0c"),
        VersionRef.of("1.4.2"),
        FOUND,
    ],
    ids=["another image", "another digest", "another configuration", "a label alone", "itself"],
)
def test_nothing_else_does(other: VersionRef) -> None:
    assert not FOUND.pins(other)


def test_a_name_without_a_digest_pins_nothing() -> None:
    assert not VersionRef.of("1.4.2", NAME).pins(VersionRef.of("1.4.2", NAME))
