"""What two files of results differ in besides their times: machines, commits, versions, sizes, loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fullshelf.bench.machine import BUSY

DESCRIBED = ("cpu", "cores", "threads", "accelerator")


def told(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each thing to know before the ratios are read."""
    commits = [_values(runs, "commit") for runs in (a, b)]
    if any(commits):
        yield f"A is of commit {_or(commits[0])}, B of {_or(commits[1])}."
    machines = [[_values(runs, name) for name in DESCRIBED] for runs in (a, b)]
    if differ := [
        f"{name} {_or(ours)} and {_or(theirs)}" for name, ours, theirs in zip(DESCRIBED, *machines, strict=True)
        if ours != theirs
    ]:  # fmt: skip
        yield f"The machines differ ({'; '.join(differ)}): read the ratios with care."
    if changed := [
        f"{name} {_or(_versions(a, name))} and {_or(_versions(b, name))}"
        for name in sorted({name for one in (*a, *b) for name in one["machine"].get("versions", {})})
        if _versions(a, name) != _versions(b, name) and _versions(a, name) and _versions(b, name)
    ]:
        yield f"The versions differ: {'; '.join(changed)}."
    sizes = [sorted({one.get("size") or "" for one in runs} - {""}) for runs in (a, b)]
    if all(sizes) and sizes[0] != sizes[1]:
        yield f"The sizes differ, {_or(sizes[0])} and {_or(sizes[1])}: only rows of the same size are compared."
    names = [sorted({one["benchmark"] for one in runs}) for runs in (a, b)]
    for name, here, there in (("A", names[0], names[1]), ("B", names[1], names[0])):
        if alone := [benchmark for benchmark in here if benchmark not in there]:
            yield f"Only {name} has {', '.join(alone)}."
    for name, runs in (("A", a), ("B", b)):
        load = max(one["machine"].get("load", 0.0) for one in runs)
        if load > BUSY:
            yield f"During {name} others kept {load:.1f} cores busy: measure again on a quiet machine."


def _values(runs: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    found = {str(one["machine"].get(name, "")) for one in runs} - {""}
    return sorted(value[:8] + value[40:] if name == "commit" else value for value in found)


def _versions(runs: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return sorted({one["machine"].get("versions", {}).get(name, "") for one in runs} - {""})


def _or(values: Sequence[str]) -> str:
    return ", ".join(values) or "unknown"
