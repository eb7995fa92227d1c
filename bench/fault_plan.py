"""Which faults a campaign does, in which round and when: drawn from a seed, before anything runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

KINDS = ("kill an actor", "freeze an actor", "tear out a node", "kill the driver", "damage a cached shard")
FULL_DISK = "fill the disk"
ANY_TIME = frozenset({"kill an actor", "freeze an actor", "tear out a node", "kill the driver"})
OF_STORE = ("let the store fail", "freeze the store", "let the store refuse")
STORE_KINDS = {"small": OF_STORE, "full": (*OF_STORE, "kill an actor", "kill the driver")}
ROUNDS = {"small": 1, "full": 9}
STORE_ROUNDS = {"small": 1, "full": 3}
START = 8.0  # seconds within which a call loads its libraries, reads its tables and begins to split
IN_A_ROUND = 6


def faults_of(seed: int, rounds: int, disk: bool) -> list[list[str]]:
    """Return the faults of each round: every kind as often as any other, in an order that the seed decides.

    Examples
    --------
    >>> [len(faults) for faults in faults_of(5, 2, disk=True)]
    [6, 6]
    """
    dice, kinds = random.Random(seed), [*KINDS, *([FULL_DISK] if disk else [])]
    drawn: list[str] = []
    while len(drawn) < rounds * IN_A_ROUND:
        drawn += dice.sample(kinds, len(kinds))
    cut = [drawn[at : at + IN_A_ROUND] for at in range(0, rounds * IN_A_ROUND, IN_A_ROUND)]
    return [sorted(faults, key=lambda kind: kind != FULL_DISK) for faults in cut]  # the disk is small from the start


def store_faults_of(seed: int, size: str) -> list[list[str]]:
    """Return the faults of each round in an object store: every kind once, in an order that the seed decides.

    Examples
    --------
    >>> [sorted(faults) == sorted(STORE_KINDS["full"]) for faults in store_faults_of(5, "full")]
    [True, True, True]
    """
    dice, kinds = random.Random(seed + 1), STORE_KINDS[size]
    return [dice.sample(kinds, len(kinds)) for _ in range(STORE_ROUNDS[size])]


def moments_of(faults: Sequence[str], dice: random.Random) -> list[float | None]:
    """Return when each fault strikes: seconds after the begin of a call, None: when a first shard is done.

    Examples
    --------
    >>> moments_of(["damage a cached shard", "kill the driver"], random.Random(1))
    [None, 1.0749139528992098]
    """
    moments: list[float | None] = []
    for kind in faults:
        early = kind in ANY_TIME and (not any(moments) or dice.random() < 0.5)
        moments.append(dice.uniform(0.0, START) if early else None)
    return moments


def struck_text(planned: Counter[str], done: Counter[str]) -> str:
    """Say how many of the planned faults struck, and name those that did not.

    Examples
    --------
    >>> struck_text(Counter({"kill an actor": 3, "freeze an actor": 1}), Counter({"kill an actor": 2}))
    '2 of 4 planned faults struck; these found nothing to strike: freeze an actor 1, kill an actor 1.'
    """
    words = f"{done.total()} of {planned.total()} planned faults struck"
    missed = ", ".join(f"{kind} {count}" for kind, count in sorted((planned - done).items()))
    return f"{words}; these found nothing to strike: {missed}." if missed else f"{words}."
