"""`make simulate SEEDS=...`: many schedules, the broken ones named with the seed that shows them again."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.campaign import each
from tests.simulation.profiles import of_seed, short_of_seed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="200", help="how many, or FROM-TO, or one seed as =N")
    parser.add_argument("--jobs", type=int, default=1, help="processes to play them in")
    parser.add_argument(
        "--short", action="store_true", help="short schedules: one harsh storm over one or two services"
    )
    arguments = parser.parse_args()
    seeds = _seeds(arguments.seeds)
    begun, bad, happened = time.monotonic(), 0, Counter[str]()
    draw = short_of_seed if arguments.short else of_seed
    for number, outcome in enumerate(each(seeds, arguments.jobs, draw), 1):
        happened += outcome.happened
        if outcome.broken or len(seeds) == 1:
            bad += bool(outcome.broken)
            print(
                f"\rseed {outcome.seed}: {outcome.releases} releases, {outcome.writes} writes, "
                f"history {outcome.digest:x} ({outcome.profile})"
            )
            for text in outcome.broken[:10]:
                print(f"    {text}")
        if sys.stdout.isatty():
            print(f"\r{number} of {len(seeds)} schedules, {bad} broken ", end="", flush=True)
    faults = sum(happened.values())
    print(f"\r{len(seeds)} schedules with {faults} faults in {time.monotonic() - begun:.0f} s: {bad} broken")
    return 1 if bad else 0


def _seeds(text: str) -> range:
    if text.startswith("="):
        return range(int(text[1:]), int(text[1:]) + 1)
    first, dash, last = text.partition("-")
    return range(int(first), int(last)) if dash else range(int(first))


if __name__ == "__main__":
    sys.exit(main())
