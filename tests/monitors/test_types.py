"""Types told from text, by the rules of Deequ that model-monitor.md lists (section 2.4)."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import text_array

from monitors.types import TypeCounts, classify

DEEQU = {
    "fractional": re.compile(r"(-|\+)? ?[0-9]+((\.[0-9]+)|((?:\.[0-9]+)?[Ee][-+]?[0-9]+))"),
    "integral": re.compile(r"(-|\+)? ?[0-9]+"),
    "boolean": re.compile(r"true|false"),
}


def kind_of(text: str) -> str:
    counts = classify(text_array([text]))[0]
    return next(name for name in counts.__struct_fields__ if getattr(counts, name))


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["0", "1", "-1", "+1", "- 1", "+ 7", " 7", "007", "9" * 300], "integral"),
        (["3.0", "0.0", "-2.5", "+ 2.5", "1e5", "1E-5", "1.5e+10", " 0.5"], "fractional"),
        (["true", "false"], "boolean"),
        (
            [
                "",
                " ",
                ".5",
                "5.",
                "1e",
                "e5",
                "NaN",
                "inf",
                "Unknown",
                "True",
                "1,000",
                "0x1F",
                "5 ",
                "--1",
                "1_0",
                "1\n",
                "\uff15",
            ],
            "string",
        ),
        (["2024-10-27T17:39:31Z", "f04a8538-696c-4648-8064-8b680b2e3318"], "string"),
        (["1e400", "-1e400", "9" * 400], "string"),
    ],
)
def test_each_text_has_the_type_that_deequ_gives_it(texts, kind):
    assert {text: kind_of(text) for text in texts} == dict.fromkeys(texts, kind)


@given(st.text("+- 0123456789.eEtrufalsx\n", max_size=8))
def test_every_text_is_classified_as_by_deequs_expressions(text):
    expected = next((name for name, pattern in DEEQU.items() if pattern.fullmatch(text)), "string")
    if expected in ("fractional", "integral") and not np.isfinite(float(text.replace(" ", ""))):
        expected = "string"  # our one difference: what no double can hold is no number
    assert kind_of(text) == expected


def test_numbers_come_with_their_value_and_the_rest_is_marked():
    counts, numbers, other = classify(text_array(["- 1", "x", "+2.5", "1E3", "true", "1e400"]))
    assert numbers.tolist() == [-1.0, 2.5, 1000.0]
    assert other.to_pylist() == [False, True, False, False, True, True]
    assert (counts.present, counts.numeric) == (6, 3)


def test_nothing_is_of_no_type():
    counts, numbers, other = classify(pa.array([], pa.string()))
    assert (counts, len(numbers), len(other)) == (TypeCounts(), 0, 0)


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        (TypeCounts(), "Unknown"),
        (TypeCounts(integral=2), "Integral"),
        (TypeCounts(integral=2, fractional=1), "Fractional"),
        (TypeCounts(boolean=2), "Boolean"),
        (TypeCounts(boolean=2, integral=1), "String"),
        (TypeCounts(fractional=2, string=1), "String"),
    ],
)
def test_a_column_has_the_narrowest_type_that_holds_all(counts, kind):
    assert counts.kind() == kind


@pytest.mark.parametrize(
    ("kind", "share"),
    [("Integral", 0.4), ("Fractional", 0.7), ("Boolean", 0.1), ("String", 1.0), ("Unknown", 1.0)],
)
def test_a_whole_number_fits_a_fractional_feature_and_anything_fits_text(kind, share):
    assert TypeCounts(4, 3, 1, 2).share(kind) == share
    assert TypeCounts().share(kind) == 1.0
