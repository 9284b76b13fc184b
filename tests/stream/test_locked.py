"""Files that one holds at a time, and what becomes of the directory of a worker."""

from __future__ import annotations

import pytest

from schemas.errors import StateError
from stream.app import _prepare
from stream.locked import lock


def test_one_holds_a_file_until_it_is_closed(tmp_path):
    path = tmp_path / "new" / "lock"
    held = lock(path)
    assert held is not None and lock(path) is None
    held.close()
    again = lock(path)
    assert again is not None
    again.close()


def test_a_second_worker_in_a_directory_is_refused_and_touches_nothing(tmp_path):
    held = _prepare(tmp_path)
    table = tmp_path / "v1" / "tables" / "watch"
    table.mkdir(parents=True)
    with pytest.raises(StateError, match=r"another worker is using it.*--state"):
        _prepare(tmp_path)
    assert table.exists() and (tmp_path / "running").exists()
    held.close()


def test_state_that_a_crash_has_left_is_made_anew_and_other_state_is_kept(tmp_path, caplog):
    table = tmp_path / "v1" / "tables" / "watch"
    table.mkdir(parents=True)
    _prepare(tmp_path).close()  # nothing says that it runs: the one before has ended by itself
    assert table.exists() and not caplog.records
    _prepare(tmp_path).close()  # it does now, as after a kill
    assert not (tmp_path / "v1").exists()
    assert "did not end by itself" in caplog.text
