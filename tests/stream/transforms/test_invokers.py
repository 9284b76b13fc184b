"""Functions as targets: loaded from files, or posted to; their errors say where."""

import json
import sys
import threading

import pytest

from schemas.errors import ConfigError, InvokeFailed
from stream.transforms.invokers import invoker, load, target
from stream.transforms.lambda_event import LIMIT

ARN = "arn:aws:lambda:us-east-1:000000000000:function:enrich"


@pytest.fixture
def function(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "enrich.py").write_text(text)
        return f"{tmp_path / 'enrich.py'}:handler"

    return write


def test_a_function_gets_the_event_and_a_context(function):
    place = function(
        "def handler(event, context):\n"
        "    assert context.get_remaining_time_in_millis() > 0\n"
        "    arn = context.invoked_function_arn\n"
        "    return {'n': event['n'] + 1, 'name': context.function_name, 'arn': arn}\n"
    )
    assert json.loads(invoker(place, ARN)(b'{"n": 1}')) == {"n": 2, "name": "enrich", "arn": ARN}


def test_a_function_of_a_module_is_found(monkeypatch, tmp_path):
    (tmp_path / "a_module_of_functions.py").write_text("def handler(event, context):\n    return event\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert invoker("a_module_of_functions:handler")(b"[1]") == b"[1]"
    finally:
        sys.modules.pop("a_module_of_functions", None)


def test_an_error_of_a_function_names_its_file_and_line(function):
    invoke = invoker(function("def handler(event, context):\n    return {}['key']\n"))
    with pytest.raises(InvokeFailed, match=r"KeyError: 'key' \(.*enrich\.py, line 2\)") as caught:
        invoke(b"{}")
    assert caught.value.code == "Lambda.FunctionError"


@pytest.mark.parametrize("body", ["import sys; sys.exit(1)", "return b'bytes'", "return {1, 2}"])
def test_a_function_that_ends_the_program_or_returns_no_json_has_failed(function, body):
    with pytest.raises(InvokeFailed):
        invoker(function(f"def handler(event, context):\n    {body}\n"))(b"{}")


def test_a_function_that_takes_too_long_is_given_up(function):
    place = function(
        "import threading\ngo = threading.Event()\ndef handler(event, context):\n    go.wait(30)\n"
    )
    with pytest.raises(InvokeFailed, match=r"within 0\.05 s") as caught:
        invoker(place, timeout=0.05)(b"{}")
    assert caught.value.code == "Lambda.FunctionTimedOut"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("def handler(:\n", r"SyntaxError.*enrich\.py, line 1"),
        ("\nimport a_module_that_is_not_there\n", r"ModuleNotFoundError.*enrich\.py, line 2"),
        ("other = 1\n", "no function handler"),
        ("handler = 1\n", "no function handler"),
        ("raise SystemExit(3)\n", r"SystemExit: 3 \(.*enrich\.py, line 1"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_named_with_the_reason(function, text, reason):
    with pytest.raises(ConfigError, match=reason):
        load(function(text))


def test_a_place_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="nowhere"):
        load("nowhere/enrich.py:handler")
    with pytest.raises(ConfigError, match=r"write FILE\.py:function"):
        load("enrich")


def test_a_target_is_found_by_arn_by_version_and_by_name():
    assert target(ARN, {ARN: "a", "enrich": "b"}) == "a"
    assert target(f"{ARN}:$LATEST", {ARN: "a"}) == "a"
    assert target(f"{ARN}:3", {"enrich": "b", f"{ARN}:3": "c"}) == "c"
    with pytest.raises(ConfigError, match="no target is configured"):
        target(ARN, {"other": "a"})


def test_a_function_behind_http_is_posted_the_event(scripted):
    server = scripted((200, {}, b'{"records": []}'))
    assert invoker(server.url)(b'{"n": 1}') == b'{"records": []}'
    assert [(request.method, request.body) for request in server.requests] == [("POST", b'{"n": 1}')]


@pytest.mark.parametrize(
    "answer, code",
    [
        ((429, {}, b"{}"), "Lambda.InvokeLimitExceeded"),
        ((404, {}, b"{}"), "Lambda.ResourceNotFound"),
        ((403, {}, b"{}"), "Lambda.InvokeAccessDenied"),
        ((500, {}, b"{}"), "Lambda.FunctionError"),
        ((302, {"Location": "/"}, b""), "Lambda.FunctionError"),
        ((200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorMessage": "x"}'), "Lambda.FunctionError"),
        ((200, {}, b'{"errorMessage": "x", "errorType": "KeyError"}'), "Lambda.FunctionError"),
        ((200, {}, b"Task timed out after 3.00 seconds"), "Lambda.FunctionTimedOut"),
        ("reset", "Lambda.FunctionError"),
    ],
)
def test_errors_behind_http_are_told_apart(scripted, answer, code):
    with pytest.raises(InvokeFailed) as caught:
        invoker(scripted(answer).url)(b"{}")
    assert caught.value.code == code


def test_a_slow_function_behind_http_is_given_up(scripted):
    go = threading.Event()
    with pytest.raises(InvokeFailed) as caught:
        invoker(scripted(go).url, timeout=0.05)(b"{}")
    go.set()
    assert caught.value.code == "Lambda.FunctionTimedOut"


def test_of_a_response_that_is_too_large_no_more_is_read_than_tells_it(scripted):
    assert len(invoker(scripted((200, {}, b" " * (LIMIT * 2))).url)(b"{}")) == LIMIT + 1
