"""Rows by key, also where two keys share a hash."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.engine import lookup
from fullshelf.engine.lookup import KeyIndex

texts = st.sampled_from(["a", "b", "ab", "", "ä"])
places = st.none() | st.sampled_from(["x", "y", "b"])


@pytest.mark.parametrize("bits", [64, 1, 0])
@settings(max_examples=40, deadline=None)
@given(
    table=st.lists(st.tuples(texts, places), unique=True, max_size=12),
    wanted=st.lists(st.tuples(texts, places), max_size=12),
)
def test_a_key_finds_its_row_or_none_however_hashes_collide(
    bits: int, table: list[tuple[str, str | None]], wanted: list[tuple[str, str | None]]
) -> None:
    schema = {"sku": pl.String, "location": pl.String}
    plain = lookup.key_hashes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            lookup,
            "key_hashes",
            lambda a, b: plain(a, b) >> np.uint64(64 - bits) if bits else plain(a, b) * np.uint64(0),
        )
        index = KeyIndex(pl.DataFrame(table, schema=schema, orient="row"))
        located = [key for key in wanted if key[1] is not None]
        keys = pl.DataFrame(located, schema=schema, orient="row")
        expected = [table.index(key) if key in table else -1 for key in located]
        assert index.find(keys["sku"], keys["location"]).tolist() == expected
        skus = pl.Series([sku for sku, _ in wanted], dtype=pl.String)
        expected = [table.index((sku, None)) if (sku, None) in table else -1 for sku in skus]
        assert index.find(skus, None).tolist() == expected
