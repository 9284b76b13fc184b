"""Which captured value belongs to which column."""

import pytest

from schemas.errors import BadRecord
from schemas.layout import Layout

START = Layout({"label": "Integral", "age": "Integral", "city": "String"})
END = Layout(START.columns, output_position="END")
NAMED = Layout(START.columns, outputs=("city",))
NO_OUTPUT = Layout({"age": "Integral", "city": "String"})


@pytest.mark.parametrize(
    ("layout", "output", "inputs", "claimed", "names"),
    [
        (START, [""], ["", ""], [], (["label"], ["age", "city"])),
        (START, ["", ""], [""], [], (["label", "age"], ["city"])),
        (START, [], ["", "", ""], [], ([], ["label", "age", "city"])),
        (END, [""], ["", ""], [], (["city"], ["label", "age"])),
        (NAMED, [""], ["", ""], [], (["city"], ["label", "age"])),
        (NAMED, [], ["", ""], [], ([], ["label", "age"])),
        (NAMED, [""], [], [], (["city"], [])),
        (NAMED, [], ["", "", ""], [], ([], ["label", "age", "city"])),
        (NAMED, [], ["", ""], ["city"], ([], ["label", "age"])),
        (START, [""], [], ["age", "city"], (["label"], [])),
        (START, [""], [], ["age"], (["label"], [])),
        (START, [], ["", ""], ["label"], ([], ["age", "city"])),
        (NO_OUTPUT, [""], ["", ""], [], (["output_0"], ["age", "city"])),
        (NO_OUTPUT, ["score", ""], ["", ""], [], (["score", "output_1"], ["age", "city"])),
        (NO_OUTPUT, [""], [], ["age", "city"], (["output_0"], [])),
        (NO_OUTPUT, [""], [], ["age"], (["output_0"], [])),
    ],
)
def test_values_find_their_names(layout, output, inputs, claimed, names):
    assert layout.assign(output, inputs, frozenset(claimed)) == names


@pytest.mark.parametrize(
    ("layout", "output", "inputs", "claimed", "width"),
    [
        (START, [""], [""], [], 2),
        (START, [""], ["", "", "", ""], [], 5),
        (START, [""], [], [], 1),
        (START, [""] * 5, [], [], 5),
        (END, [""] * 5, [], [], 5),
        (NAMED, ["", ""], ["", ""], [], 4),
        (NAMED, [""], ["", "", ""], [], 4),
        (NAMED, [], [""], [], 1),
        (START, [], [""], ["label"], 2),
    ],
)
def test_a_number_of_columns_that_fits_nothing_is_refused(layout, output, inputs, claimed, width):
    with pytest.raises(BadRecord, match=f"{width} columns captured .* the baseline has 3") as caught:
        layout.assign(output, inputs, frozenset(claimed))
    assert (caught.value.code, caught.value.width) == ("columns", width)


def test_a_made_up_output_name_takes_no_column_that_is_there():
    layout = Layout({"output_0": "Integral", "age": "Integral"})
    assert layout.assign(["", ""], ["", ""])[0] == ["output_0_", "output_1"]
    assert layout.assign(["output_1", ""], ["", ""])[0] == ["output_1", "output_1_"]
