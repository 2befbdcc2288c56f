"""A copy is its original, but for all by which others would know the original."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.adapters.kube import labels, marks
from delivery.adapters.workloads.kubernetes import clone, refusals
from delivery.adapters.workloads.kubernetes.refusals import Copied
from delivery.model.place import Isolation
from delivery.model.version import VersionRef
from tests.unit.workloads.charts import NEW, SELECTED, autoscaler, budget, copy, deployment, home, service

KEYS = st.sampled_from(["app", "release", "tier", "version", "env", "app.kubernetes.io/version", marks.BACKEND])
VALUES = st.sampled_from(["a", "b", "1.4.2"])
LABELS = st.dictionaries(KEYS, VALUES)
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "key": KEYS,
            "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
            "values": st.lists(VALUES, min_size=1, max_size=2),
        }
    ),
    max_size=3,
)


@given(pod=LABELS, own=LABELS, rules=RULES, called=LABELS, others=st.lists(LABELS, max_size=3))
def test_no_copy_that_is_not_refused_is_selected_by_anything_of_its_original(pod, own, rules, called, others):
    stable = deployment(labels=pod, selector={"matchLabels": own, "matchExpressions": rules})
    users = service(called)
    services = [users, *(service(selector, f"other-{index}") for index, selector in enumerate(others))]
    made = clone.pod_labels(stable, users, copy())
    reasons = refusals.reasons(home(deployment=stable, service=users, services=services), Copied(made))
    if not reasons:
        assert not labels.selects(stable["spec"]["selector"], made)
        assert not any(labels.service_selects(one["spec"]["selector"], made) for one in services)
        assert labels.selects({"matchLabels": copy().selector}, made)


@given(pod=LABELS)
def test_a_copy_that_joins_is_selected_by_the_service_and_not_by_the_deployment(pod):
    own = {**SELECTED, "version": "1.4.1"}
    stable = deployment(labels={**pod, **own}, selector={"matchLabels": own})
    joined = copy(isolation=Isolation.SUBSET)
    made = clone.pod_labels(stable, service(), joined)
    assert labels.service_selects(SELECTED, made)
    assert not labels.selects(stable["spec"]["selector"], made)
    assert refusals.reasons(home(deployment=stable), Copied(made, joins=True)) == ()
    assert refusals.reasons(home(deployment=stable), Copied(made)), "without subsets its callers would meet the copy"


def test_nothing_of_the_owners_tools_is_on_a_copy():
    stable = deployment(
        annotations={
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "deployment.kubernetes.io/revision": "7",
            "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout",
            "meta.helm.sh/release-name": "shop",
            "kustomize.toolkit.fluxcd.io/name": "shop",
            "team": "payments",
        }
    )
    stable["metadata"] |= {
        "labels": {"app.kubernetes.io/instance": "shop", "helm.sh/chart": "checkout-1", "app": "checkout"},
        "ownerReferences": [{"kind": "Shop"}],
        "finalizers": ["shop/keep"],
        "managedFields": [{}],
    }
    made = clone.deployment(stable, service(), copy(), 100)
    assert made["metadata"].keys() == {"name", "namespace", "labels", "annotations"}
    assert made["metadata"]["labels"] == {"app": "checkout", **marks.labels(copy().name)}
    ours = {key for key in made["metadata"]["annotations"] if not key.startswith(marks.PREFIX)}
    assert ours == {"team"}
    assert "status" not in made


def test_the_pods_are_the_originals_with_another_image():
    sidecar = {"name": "proxy", "image": "registry.example/proxy:3"}
    migrate = {"name": "migrate", "image": "registry.example/checkout:1.4.1", "args": ["migrate"]}
    main = {"name": "checkout", "image": "registry.example/checkout:1.4.1", "env": [{"name": "A", "value": "b"}]}
    stable = deployment(pod={"containers": [sidecar, main], "initContainers": [migrate]}, paused=True)
    made = clone.deployment(stable, service(), copy(), 100)["spec"]
    assert made["template"]["spec"]["containers"] == [sidecar, {**main, "image": NEW.image}]
    assert made["template"]["spec"]["initContainers"] == [{**migrate, "image": NEW.image}]
    assert "paused" not in made
    assert stable["spec"]["template"]["spec"]["containers"][1]["image"].endswith("1.4.1"), "the original is untouched"


def test_versions_in_labels_say_the_new_one():
    stable = deployment(labels={"version": "1.4.1", "app.kubernetes.io/version": "1.4.1", "tier": "web"})
    made = clone.pod_labels(stable, service(), copy())
    assert made == {
        "version": "1.4.2",
        "app.kubernetes.io/version": "1.4.2",
        "tier": "web",
        marks.BACKEND: copy().name,
    }
    by_version = {**SELECTED, "version": "1.4.1"}
    stable = deployment(labels=by_version, selector={"matchLabels": by_version})
    rebuilt = copy(version=VersionRef.of("1.4.1", "registry.example/checkout@sha256:ccc"))
    assert clone.pod_labels(stable, service(), rebuilt)["version"] == copy().name, "a build of one label stays apart"


@pytest.mark.parametrize(
    ("version", "value"), [("1.4.2+build.5", "1.4.2_build.5"), ("feature/x", "feature_x"), ("-", "unnamed")]
)
def test_any_version_is_a_label(version, value):
    assert clone.label_value(version) == value
    assert len(clone.label_value("v" * 128)) == 63


@given(replicas=st.integers(0, 200), share=st.integers(0, 100), more=st.integers(0, 100))
def test_a_copy_has_its_share_rounded_up_and_at_least_one_pod(replicas, share, more):
    stable = deployment(replicas=replicas)
    size = clone.size(stable, share)
    assert 1 <= size <= max(1, replicas)
    assert size * 100 >= replicas * share
    assert size <= clone.size(stable, min(100, share + more))
    assert clone.size(stable, 100) == max(1, replicas)


def test_a_copys_service_lets_nobody_in_from_outside():
    public = service(
        type="LoadBalancer",
        clusterIP="10.96.0.7",
        externalTrafficPolicy="Local",
        sessionAffinity="ClientIP",
        internalTrafficPolicy="Local",
        ports=[{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080, "appProtocol": "http"}],
    )
    public["metadata"]["annotations"] = {
        "external-dns.alpha.kubernetes.io/hostname": "shop.example",
        "networking.istio.io/exportTo": "*",
    }
    made = clone.its_service(public, copy())
    assert made["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "ClientIP",
        "internalTrafficPolicy": "Local",
        "selector": copy().selector,
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}],
    }
    kept = {key for key in made["metadata"]["annotations"] if not key.startswith(marks.PREFIX)}
    assert kept == {"networking.istio.io/exportTo"}


def test_a_copys_autoscaler_counts_only_what_is_its_pods_own():
    made = clone.autoscaler(autoscaler(metrics=("External", "Resource")), deployment(replicas=10), copy(), 25)
    assert made is not None
    assert made["spec"]["metrics"] == [{"type": "Resource"}]
    assert made["spec"]["scaleTargetRef"]["name"] == copy().name
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (3, 6)
    assert clone.autoscaler(autoscaler(metrics=("External", "Object")), deployment(), copy(), 25) is None


def test_a_copys_budget_never_blocks_a_drain_for_good():
    own = {"matchLabels": copy().selector}
    assert clone.budget(budget(minAvailable=3), copy())["spec"] == {"selector": own, "maxUnavailable": 1}
    assert clone.budget(budget(minAvailable="50%"), copy())["spec"] == {"selector": own, "minAvailable": "50%"}


def test_pods_that_keep_away_from_their_like_keep_away_from_their_own():
    like = {"labelSelector": {"matchLabels": SELECTED}, "topologyKey": "kubernetes.io/hostname"}
    other = {"labelSelector": {"matchLabels": {"app": "batch"}}, "topologyKey": "kubernetes.io/hostname"}
    pod = {
        "topologySpreadConstraints": [dict(like)],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [dict(like), dict(other)],
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": dict(like)}],
            }
        },
    }
    spec = clone.deployment(deployment(pod=pod), service(), copy(), 100)["spec"]["template"]["spec"]
    mine = {**like, "labelSelector": {"matchLabels": copy().selector}}
    assert spec["topologySpreadConstraints"] == [mine]
    anti = spec["affinity"]["podAntiAffinity"]
    assert anti["requiredDuringSchedulingIgnoredDuringExecution"] == [mine, other]
    assert anti["preferredDuringSchedulingIgnoredDuringExecution"] == [{"weight": 1, "podAffinityTerm": mine}]


def test_a_rule_about_labels_that_stay_stays():
    web = {"labelSelector": {"matchLabels": {"tier": "web"}}, "topologyKey": "zone"}
    stable = deployment(labels={"tier": "web"}, pod={"topologySpreadConstraints": [web]})
    spec = clone.deployment(stable, service(), copy(), 100)["spec"]["template"]["spec"]
    assert spec["topologySpreadConstraints"] == [web]


def test_the_tracked_configuration_is_noted_on_the_pods():
    template = clone.deployment(deployment(), service(), copy(config="abc"), 100)["spec"]["template"]
    assert template["metadata"]["annotations"] == {clone.CONFIG: "abc"}
