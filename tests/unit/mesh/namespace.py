"""A namespace of a Kubernetes API, as far as routes are read and written there."""

import itertools

from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import path_of
from delivery.ports.errors import Conflict, Refused


class Namespace(Kube):
    """`refuses` are names of objects that an admission webhook would not have changed."""

    def __init__(self, *documents):
        self.there = {}
        self.refuses = set()
        self.numbers = map(str, itertools.count(1))
        for each in documents:
            self.put(each)

    def put(self, body):
        """Somebody writes it, whatever is there."""
        metadata = {**body["metadata"], "resourceVersion": next(self.numbers)}
        self.there[path_of(body)] = made = {**body, "metadata": metadata}
        return made

    def remove(self, body):
        del self.there[path_of(body)]

    def find(self, path):
        return self.there.get(path)

    def get(self, path, **query):
        if path in self.there:
            return self.there[path]
        below = [one for key, one in self.there.items() if key.rpartition("/")[0] == path]
        if not below and path.count("/") > 6:
            raise Absent(f"{path} not found")
        return {"items": below, "metadata": {"resourceVersion": "1"}}

    def replace(self, body, *, dry_run=False):
        known = self.there.get(path_of(body))
        if known is None or known["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("it has been changed")
        if body["metadata"]["name"] in self.refuses:
            raise Refused("admission webhook denied the request")
        return body if dry_run else self.put(body)
