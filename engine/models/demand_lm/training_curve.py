"""The course of a training run as a picture: losses by step, one SVG that needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path

W, H, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 56, 16, 28, 40
LINES = {  # key of the log, colour, what it is
    "loss": ("#9aa5b1", "training, both heads"),
    "held_back": ("#1f6feb", "held back: periods"),
    "held_back_total": ("#d9730d", "held back: totals"),
}


def loss_curve(log: Path) -> str:
    """Return the picture of a log (`log.jsonl`) as SVG text."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    series = {key: [(line["step"], line[key]) for line in lines if key in line] for key in LINES}
    points = [point for found in series.values() for point in found]
    last = max((step for step, _ in points), default=1)
    low, high = min((v for _, v in points), default=0.0), max((v for _, v in points), default=1.0)
    room = 0.05 * (high - low) or 0.05
    low, high = low - room, high + room

    def x(step: float) -> float:
        return LEFT + (W - LEFT - RIGHT) * step / max(last, 1)

    def y(value: float) -> float:
        return H - BOTTOM - (H - TOP - BOTTOM) * (value - low) / (high - low)

    shapes = [f'<rect width="{W}" height="{H}" fill="white"/>']
    for k in range(5):
        value, step = low + (high - low) * k / 4, last * k / 4
        shapes.append(f'<path d="M{LEFT} {y(value):.1f}H{W - RIGHT}" stroke="#e5e8eb"/>')
        shapes.append(_text(LEFT - 6, y(value) + 4, f"{value:.3g}", "end"))
        shapes.append(_text(x(step), H - BOTTOM + 16, f"{step:,.0f}", "middle"))
    shapes.append(_text((LEFT + W - RIGHT) / 2, H - 8, "step", "middle"))
    place = LEFT
    for key, (colour, name) in LINES.items():
        if not series[key]:
            continue
        line = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in series[key])
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        shapes.append(f'<rect x="{place}" y="9" width="12" height="3" fill="{colour}"/>')
        shapes.append(_text(place + 17, 14, f"{name} {series[key][-1][1]:.4f}", "start"))
        place += 200
    body = "".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" width="{W}" height="{H}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>Loss by step</title>{body}</svg>\n'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#4a5560">{words}</text>'
