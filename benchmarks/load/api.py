"""The API that is measured, as `api.main`, but for the world. Run with `uvicorn benchmarks.load.api:app --factory`."""

from fastapi import FastAPI

from api import main
from benchmarks.load.world import offer


def app() -> FastAPI:
    offer()
    return main.app()
