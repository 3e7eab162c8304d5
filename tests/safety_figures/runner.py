"""Run every safety figure and print one table; exit code 1 if a goal is missed.

`make safety` is this; `--quick` does a tenth, `--only WORD` the figures with that word.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

from fakes.loopback import loopback_only
from safety_figures import (
    answers,
    arguments,
    clocks,
    crashes,
    crowds,
    logbook,
    mutations,
    presence,
    replays,
    rogues,
    roles,
)
from safety_figures.figure import Figure, table

SHARES = 8
"""Parts that the million is done in."""
LONG_KILLS = "test_"
QUICK_KILLS = "(being_signed and ledger.claim) or (test_a_yes and mark_sent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A figure, or a share of one, as a process can run it."""

    name: str
    work: Callable[[], Any]


def _async(work: Callable[[int], Coroutine[Any, Any, Figure]], number: int) -> Figure:
    return asyncio.run(work(number))


def jobs(*, quick: bool, kills: int) -> list[Job]:
    """List what there is to run; the longest first."""
    by = 10 if quick else 1
    pure: list[tuple[str, Callable[[], Any]]] = [
        ("kill -9", partial(crashes.killed, kills, QUICK_KILLS if quick else LONG_KILLS)),
        ("arguments", partial(_async, arguments.changed_while_waiting, 10_000 // by)),
        ("crowd", partial(_async, crowds.at_once, 10_000 // by)),
        ("forged", partial(_async, mutations.through_the_gate, 20_000 // by)),
        ("replays gate", partial(_async, replays.signatures_again, 5_000 // by)),
        ("replays edge", partial(replays.at_the_edge, 100_000 // by)),
        ("replays restored", partial(_async, replays.after_a_restored_database, 20 // by)),
        ("roles policy", partial(_async, roles.decided, by)),
        ("roles gate", partial(_async, roles.changed, by)),
        ("presence", partial(_async, presence.around_the_limit, 5 if quick else 21)),
        ("clocks", partial(_async, clocks.jumping, 7 if quick else 1)),
        ("log tampered", partial(logbook.tampered, 10_003 // by)),
        ("log long", partial(logbook.long_log, 1_000_000 // by)),
        ("rogue", partial(_async, rogues.at_the_broker, 10_000 // by)),
        ("crash", partial(_async, crashes.in_process, 5 if quick else 50)),
        ("answers", partial(answers.confusing, 1_000)),
    ]
    share = 1_000_000 // by // SHARES
    return [
        *(Job(name=name, work=work) for name, work in pure),
        *(Job(name="mutations", work=partial(mutations.share, share, n)) for n in range(SHARES)),
    ]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Run one job in this process, away from all networks; return its seconds too."""
    start = time.monotonic()
    with loopback_only("a safety figure"):
        result = work()
    return result, time.monotonic() - start


def _progress(job: Job, future: Future[tuple[Any, float]]) -> None:
    """Say when a figure is there; it may be long before the table is."""
    state = "did not finish" if future.exception() else f"{future.result()[1]:.0f} s"
    print(f"  {job.name}: {state}", file=sys.stderr, flush=True)


def _collected(running: list[tuple[Job, Future[tuple[Any, float]]]]) -> list[Figure]:
    figures, shares, seconds = [], [], 0.0
    for job, future in running:
        broken = future.exception()
        if broken is not None:
            figures.append(_broken(job, broken))
            continue
        result, took = future.result()
        if job.name == "mutations":
            shares.append(result)
            seconds += took
        else:
            figures.append(result.taking(took))
    if shares:
        figures.insert(0, mutations.at_the_verifier(shares).taking(seconds))
    return figures


def _broken(job: Job, error: BaseException) -> Figure:
    """Say that a figure could not be taken, which is a goal missed."""
    return Figure(
        what=job.name,
        tried=0,
        goal="a figure",
        measured=f"did not finish: {error!r}"[:160],
        met=False,
        naive="not run",
        caught=False,
    )


def run(*, quick: bool, kills: int, only: str, processes: int) -> list[Figure]:
    """Run the figures in a few processes at once."""
    chosen = [job for job in jobs(quick=quick, kills=kills) if only in job.name]
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = [(job, pool.submit(timed, job.work)) for job in chosen]
        for job, future in running:
            future.add_done_callback(partial(_progress, job))
        return _collected(running)


def main() -> int:
    """Read the arguments, run, print the table."""
    parser = argparse.ArgumentParser(prog="make safety ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", default="", help="figures with this word in their name")
    parser.add_argument("--kills", type=int, default=1, help="rounds of killing the server")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    told = parser.parse_args()
    start = time.monotonic()
    figures = run(quick=told.quick, kills=told.kills, only=told.only, processes=told.processes)
    print(table(figures))
    missed = [each for each in figures if not each.passed]
    print(
        f"\n{len(figures) - len(missed)} of {len(figures)} goals met in "
        f"{time.monotonic() - start:.0f} s ({told.processes} processes, {os.cpu_count()} cores, "
        f"Python {platform.python_version()})"
    )
    return 1 if missed or not figures else 0
