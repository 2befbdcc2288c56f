"""A stranger's cluster, looked at: what a release would change, what it would not govern, and what is missing."""
