"""Whole units under common limits: which units fill what is left of the resources, and which are better exchanged."""

import math

import numpy as np

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.families import losses
from fullshelf.kernels.priority_list import sink

__all__ = ["exchange_units", "fill_units"]


@core
def unit_gain(family: int, a: float, b: float, under: float, over: float, quantity: float) -> float:
    """Return what a unit more than `quantity` saves in underage and overage cost."""
    now = losses(family, a, b, quantity)
    then = losses(family, a, b, quantity + 1.0)
    return under * (now[0] - then[0]) - over * (then[1] - now[1])


@core
def fits(table: FloatArray, room: FloatArray, more: int, less: int) -> bool:
    """Say whether a unit more of one SKU fits once a unit of another one (-1: of none) is taken out."""
    for k in range(room.size):
        freed = table[k, less] if less >= 0 else 0.0
        if table[k, more] - freed > room[k]:
            return False
    return True


@loop
def fill_units(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    table: FloatArray,
    charge: FloatArray,
    room: FloatArray,
    quantity: FloatArray,
) -> None:
    """Add unit after unit in the order of what they save for their charge, while any fits and pays."""
    score, heap = np.empty(a.size), np.empty(a.size, dtype=np.int64)
    size = 0
    for i in range(a.size):
        gain = unit_gain(family, a[i], b[i], under[i], over[i], quantity[i])
        score[i] = gain / max(charge[i], 1e-300)
        if gain > 0.0 and fits(table, room, i, -1):
            heap[size] = i
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        sink(score, heap, size, at)
    while size > 0:
        i = heap[0]
        gone = not fits(table, room, i, -1)  # what does not fit now never will
        if not gone:
            quantity[i] += 1.0
            for k in range(room.size):
                room[k] -= table[k, i]
            gain = unit_gain(family, a[i], b[i], under[i], over[i], quantity[i])
            score[i] = gain / max(charge[i], 1e-300)
            gone = not gain > 0.0
        if gone:
            size -= 1
            heap[0] = heap[size]
        sink(score, heap, size, 0)


@loop
def exchange_units(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    table: FloatArray,
    room: FloatArray,
    quantity: FloatArray,
) -> bool:
    """Take out the unit and put in the one with which the cost falls most; returns whether any such pair is left."""
    gain, loss = np.empty(a.size), np.empty(a.size)
    for i in range(a.size):
        gain[i] = unit_gain(family, a[i], b[i], under[i], over[i], quantity[i])
        out = quantity[i] - 1.0
        loss[i] = unit_gain(family, a[i], b[i], under[i], over[i], out) if out >= 0.0 else math.inf
    best, less, more = 0.0, -1, -1
    for i in range(a.size):
        for j in range(a.size):
            saved = gain[j] - loss[i]
            if i != j and saved > best and saved > 1e-12 * gain[j] and fits(table, room, j, i):
                best, less, more = saved, i, j
    if less < 0:
        return False
    quantity[less] -= 1.0
    quantity[more] += 1.0
    for k in range(room.size):
        room[k] += table[k, less] - table[k, more]
    return True
