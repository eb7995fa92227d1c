"""Every public function of the textbook has a worked number, and one page lists them all."""

from pathlib import Path

import pytest

from fullshelf.bench.kernel_reference import FAMILIES, functions, methods, reference

PAGE = Path(__file__).parents[2] / "docs" / "kernels.md"
MODULES = [module for modules in FAMILIES.values() for module in modules]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_says_what_it_does_and_works_an_example(module):
    found = [*functions(module), *methods(module)]
    assert found
    assert [f.name for f in found if not f.says] == []
    assert [f.name for f in found if ">>>" not in f.docstring] == []


def test_the_page_of_all_kernels_is_that_of_the_code():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m fullshelf.bench.kernel_reference > docs/kernels.md"
    )


def test_no_module_stands_twice_on_the_page():
    assert len(MODULES) == len(set(MODULES))
