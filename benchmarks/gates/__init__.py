"""How often gates roll back what is healthy, and how soon they find what is not: `python -m benchmarks.gates`."""
