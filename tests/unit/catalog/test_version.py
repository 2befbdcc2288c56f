"""Versions and the names of their backends."""

from hypothesis import example, given
from hypothesis import strategies as st

from delivery.model.version import Backend, VersionRef

versions = st.builds(
    VersionRef.of,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,5}", fullmatch=True),
    st.none() | st.sampled_from(["a/b:1", "a/b:2", "a/b@sha256:9f2c"]),
)


def test_a_plain_version_has_a_plain_name() -> None:
    assert Backend("checkout", VersionRef.of("1.4.2")).name == "checkout_1-4-2"


@given(versions, versions)
@example(VersionRef.of("1.4.2"), VersionRef.of("1-4-2"))
@example(VersionRef.of("1.4.2+a"), VersionRef.of("1.4.2-a"))
def test_two_identities_never_share_a_backend(one: VersionRef, other: VersionRef) -> None:
    if one.identity != other.identity:
        assert Backend("checkout", one).name != Backend("checkout", other).name
