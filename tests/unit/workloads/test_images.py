"""Which container is the service, and when two images are one."""

import pytest

from delivery.adapters.kube import images
from delivery.ports.errors import Refused
from tests.unit.workloads.charts import pod

REPOSITORY = "ghcr.io/acme/checkout"


def template(*containers, **annotations):
    found = [{"name": name, "image": image} for name, image in containers]
    return {"metadata": {"annotations": annotations}, "spec": {"containers": found}}


@pytest.mark.parametrize(
    ("image", "repository", "tag", "digest"),
    [
        ("nginx", "docker.io/library/nginx", "", ""),
        ("nginx:1.27", "docker.io/library/nginx", "1.27", ""),
        ("acme/checkout:1.4.2", "docker.io/acme/checkout", "1.4.2", ""),
        ("localhost:5000/checkout", "localhost:5000/checkout", "", ""),
        ("localhost:5000/checkout:1.4.2@sha256:bbb", "localhost:5000/checkout", "1.4.2", "sha256:bbb"),
        (f"{REPOSITORY}@sha256:bbb", REPOSITORY, "", "sha256:bbb"),
    ],
)
def test_parts_of_a_reference(image, repository, tag, digest):
    assert (images.repository(image), images.tag(image), images.digest(image)) == (repository, tag, digest)


@pytest.mark.parametrize(
    ("found", "asked", "same"),
    [
        (f"{REPOSITORY}:1.4.2@sha256:bbb", "mirror.example/checkout@sha256:bbb", True),
        (f"{REPOSITORY}:1.4.2@sha256:aaa", f"{REPOSITORY}:1.4.2@sha256:bbb", False),
        (f"{REPOSITORY}:1.4.2@sha256:bbb", f"{REPOSITORY}:1.4.2", True),
        (f"{REPOSITORY}:1.4.2", f"{REPOSITORY}:1.4.2@sha256:bbb", False),  # a tag may have moved
        ("acme/checkout:1", "docker.io/acme/checkout:1", True),
        ("nginx", "docker.io/library/nginx:latest", True),
        (f"{REPOSITORY}:1.4.1", f"{REPOSITORY}:1.4.2", False),
    ],
)
def test_what_was_asked_for_runs(found, asked, same):
    assert images.runs(found, asked) is same


def test_the_container_is_found_by_the_images_repository_first():
    pods = template(("proxy", "ghcr.io/acme/proxy:1"), ("app", f"{REPOSITORY}:1.4.1"))
    assert images.container(pods, ("proxy",), f"{REPOSITORY}@sha256:bbb")["name"] == "app"


def test_else_by_what_the_pod_or_its_owners_call_it():
    pods = (("proxy", "proxy:1"), ("checkout", "web:1"), ("other", "web:1"))
    assert images.container(template(pods[0]), (), "elsewhere/x:1")["name"] == "proxy", "the only one"
    assert images.container(template(*pods), ("checkout",))["name"] == "checkout"
    default = {images.DEFAULT: "other"}
    assert images.container(template(*pods, **default), ("checkout",))["name"] == "other"
    assert images.container(template(*pods, **default), ("checkout",), "web:2")["name"] == "other", "of two alike"
    named = {images.DEFAULT: "proxy"}
    assert images.container(template(*pods, **named), ("other",), "web:2")["name"] == "other", "and of no third"


def test_else_it_is_refused_with_the_way_out():
    with pytest.raises(Refused, match=r"proxy \(proxy:1\), web \(web:1\); name it in .*default-container"):
        images.container(template(("proxy", "proxy:1"), ("web", "web:1")), ("checkout",), "elsewhere/x:1")


def test_a_digest_counts_where_all_pods_run_the_same():
    def pulled(*digests):
        return [pod(imageID=f"{REPOSITORY}@{one}" if one else "") for one in digests]

    assert images.running_digest(pulled("sha256:aaa", "sha256:aaa"), "checkout") == "sha256:aaa"
    assert images.running_digest(pulled("sha256:aaa", ""), "checkout") == "sha256:aaa", "one has not pulled it yet"
    assert images.running_digest(pulled("sha256:aaa", "sha256:bbb"), "checkout") is None, "a tag that moved"
    assert images.running_digest(pulled("sha256:aaa"), "proxy") is None
