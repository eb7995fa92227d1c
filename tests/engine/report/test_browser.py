"""The page in headless Chromium: `apt-get install -y chromium` puts it on the path."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path

import polars as pl
import pytest

from fullshelf.engine.report import write_report
from fullshelf.engine.report.style import STYLE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path: apt-get install -y chromium")

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"),
)
# Asks a laid-out page what is too wide and which labels of one picture lie on each other, and tells the page around it.
PROBE = """<script>addEventListener("load", () => {
  const found = {scroll: document.documentElement.scrollWidth, width: innerWidth, wide: [], overlaps: []};
  for (const e of document.querySelectorAll("body *")) {
    const r = e.getBoundingClientRect();
    if (r.width && (r.right > innerWidth + 0.5 || r.left < -0.5)) found.wide.push(e.outerHTML.slice(0, 160));
  }
  for (const svg of document.querySelectorAll("svg")) {
    const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
    texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
      const x = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (x > 1 && y > 3) found.overlaps.push([a, b]);
    }));
  }
  parent.postMessage([location.hash.slice(1), found], "*");
})</script>"""
# Chromium's windows are never narrower than 500 pixels, so narrow pages stand in frames.
AROUND = """<!doctype html><title>frames</title><body><script>const all = {};
addEventListener("message", e => { all[e.data[0]] = e.data[1]; document.body.dataset.found = JSON.stringify(all); });
</script>"""


def open_page(page: Path, folder: Path) -> tuple[str, list[str], list[str]]:
    """Return the page's DOM, the lines of its console, and the addresses that it asked for."""
    log = folder / "net-log.json"
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console, [url for url in requests(log) if url != page.as_uri()]


def requests(log: Path) -> list[str]:
    """Return what a page asked the network for; the browser's own errands have no page as their initiator."""
    text = log.read_text().rstrip().rstrip(",")
    content = json.loads(text if text.endswith("}") and '"polledData"' in text else text + "]}")
    number = content["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    started = (event.get("params", {}) for event in content["events"] if event["type"] == number)
    return [p["url"] for p in started if "url" in p and p.get("initiator") != "not an origin"]


def lay_out(pages: dict[str, tuple[Path, int]], folder: Path) -> dict[str, dict]:
    """Lay pages out, all lists open, each in a frame of its width, and return what PROBE found in each."""
    frames = []
    for name, (page, width) in pages.items():
        html = page.read_text(encoding="utf-8").replace("<details>", "<details open>")
        html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', PROBE, html, count=1)
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
        frames.append(f'<iframe src="{name}.html#{name}" style="border:0;width:{width}px;height:900px"></iframe>')
    around = folder / "around.html"
    around.write_text(AROUND + "".join(frames), encoding="utf-8")
    dom, console, _ = open_page(around, folder)
    assert console == []
    written = re.search(r'data-found="([^"]*)"', dom)
    assert written, "the probe did not run"
    return json.loads(unescape(written[1]))


@pytest.fixture(scope="module")
def page(facts, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, facts)
    return path


def test_the_page_loads_without_network_and_without_a_console_message(page, tmp_path):
    dom, console, asked = open_page(page, tmp_path)
    assert "<h1>Orders as of 8 June 2025</h1>" in dom
    assert "Seconds by stage" in dom
    assert console == []
    assert asked == []


def test_the_checks_would_notice_a_page_that_fetches_or_fails(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text('<!doctype html><title>x</title><img src="http://example.invalid/a.png"><script>nope(</script>')
    _, console, asked = open_page(bad, tmp_path)
    assert any("SyntaxError" in line for line in console)
    assert asked == ["http://example.invalid/a.png"]


def test_nothing_is_wider_than_a_phone_or_a_screen_and_no_labels_overlap(page, facts_of, tmp_path):
    long = "W" * 200  # words without a space
    facts = facts_of(30)
    values = facts.values.with_columns(title=pl.lit(long), category=pl.lit(long + "/b"))
    run = {**facts.run, "run": long, "model": long, "quarantined": {str(i): long for i in range(30)}}
    hard = tmp_path / "long-words.html"
    write_report(hard, replace(facts, values=values, run=run))
    found = lay_out({"phone": (page, 390), "screen": (page, 1280), "hard": (hard, 390)}, tmp_path)
    assert {name: f["width"] for name, f in found.items()} == {"phone": 390, "screen": 1280, "hard": 390}
    for name, f in found.items():
        assert f["wide"] == [], name
        assert f["scroll"] <= f["width"], name
        assert f["overlaps"] == [], name


def test_a_script_in_a_title_does_not_run_and_does_not_even_stand_in_the_page(facts_of, tmp_path):
    facts = facts_of(30)
    attack = '</bdi></script><script>document.title="hacked"</script><img src=x onerror=alert(1)>'
    path = tmp_path / "attack.html"
    write_report(path, replace(facts, values=facts.values.with_columns(title=pl.lit(attack))))
    dom, console, asked = open_page(path, tmp_path)
    assert "<title>Orders as of" in dom
    assert "document.title" in dom
    assert "<script" not in dom
    assert "<img" not in dom
    assert console == []
    assert asked == []


def test_colours_of_words_stand_out_in_light_and_dark():
    light, dark = (dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})[;}]", part)) for part in STYLE.split("@media", 2)[:2])
    assert set(light) == set(dark)
    for scheme in (light, dark):
        for name in ("ink", "soft", "blue", "warn"):
            assert contrast(scheme[name], scheme["paper"]) >= 4.5, (name, scheme[name])


def contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
