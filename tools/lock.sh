#!/bin/sh
# Renews requirements/*.txt from pyproject.toml. Pins that still fit stay; `--upgrade` takes the newest.
set -eu
cd "$(dirname "$0")/.."

uv=.venv/lock/bin/uv # apart from .venv: the lock must not list its own maker
[ -x "$uv" ] || { .venv/bin/python -m venv .venv/lock && .venv/lock/bin/python -m pip install --quiet uv==0.13.9; }

compile() {
    out=$1
    shift
    # No index address goes into a file: everyone's pip has its own.
    "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" --output-file "$out" "$@" >/dev/null
}

compile requirements/dev.txt pyproject.toml --extra sandbox --group test --group lint --group build "$@"
compile requirements/run.txt pyproject.toml --constraint requirements/dev.txt "$@"
# What makes the wheel in deploy/Containerfile.
compile requirements/build.txt --constraint requirements/dev.txt --group build "$@"
