"""Capture records with damage of every kind, made from a seed: the same seed gives the same records."""

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from schemas.layout import Layout

SHOP = Layout({"score": "Fractional", "age": "Integral", "income": "Fractional", "city": "String"})
WHEN = "2025-03-04T10:02:11Z"

NUMBERS = (
    *("0", "-0", "0.0", "-0.0", "1", "34", "-7", "0.25", "1e3", "1E-5", "0.1", "1e22", "1e23"),
    *("123456789012345678", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "9" * 25, "1" + "0" * 309, "1e308", "1e400", "-1e400"),
    *("4.9e-324", "2.2250738585072011e-308", "0." + "3" * 40, "1e-400", "00012", "-00.5", "1e+05"),
)
ODD = (
    *(
        "",
        " ",
        "NaN",
        "nan",
        "-nan",
        "Infinity",
        "-Infinity",
        "inf",
        "INF",
        "null",
        "None",
        "NA",
        "N/A",
        "true",
    ),
    *(
        "0x1F",
        "1_000",
        "1,5",
        ".5",
        "5.",
        "+3",
        "--3",
        " 5",
        "5 ",
        "\t5",
        "1e",
        "e5",
        "1.2.3",
        "٣",
        "½",
        "\uff15",
    ),
    *(
        "a,b",
        'say "hi"',
        '"',
        '""',
        "'",
        "a\nb",
        "a\r\nb",
        "\n",
        "\r",
        "\\",
        "\\n",
        "\\u0041",
        "a\tb",
        "\x00",
        "\x7f",
    ),
    *(
        "é",
        "日本",
        "😀",
        "\ufeff",
        "\ufeffx",
        "\u2028",
        "\x85",
        "\u200b",
        "e\u0301",
        "\U0010ffff",
        "a" * 5_000,
    ),
    *("{", "[1]", '{"a":1}', "north;south", "=1+1", "#", "%s", "</script>"),
)
TEXTS = ("north", "south", "east", "", "two words", "O'Neil")

Sides = dict[str, Any]


def records(n: int, seed: int) -> list[bytes]:
    """`n` records, of which about three in ten are as an endpoint writes them."""
    random = Random(seed)
    return [record(random, number) for number in range(n)]


def record(random: Random, number: int) -> bytes:
    """One record: plain, of another form, damaged inside its payload, its envelope, or its bytes."""
    (make,) = random.choices(list(_MAKERS), list(_MAKERS.values()))
    made = make(random, number)
    return mutate(random, made) if random.random() < 0.12 else made


def envelope(number: int, sides: Sides, random: Random, **about: Any) -> bytes:
    """A record that holds `sides`, without blanks as an endpoint writes it, or sometimes with."""
    whole = {
        "captureData": sides,
        "eventMetadata": {"eventId": f"e{number}", "inferenceTime": WHEN, **about},
        "eventVersion": "0",
    }
    separators = (",", ":") if random.random() < 0.9 else None
    return _dumped(whole, separators=separators, ensure_ascii=random.random() < 0.3)


def _dumped(value: Any, **how: Any) -> bytes:
    return json.dumps(value, **how).encode("utf-8", "surrogatepass")


def _payload(data: str, encoding: str = "CSV", kind: str = "text/csv", mode: str = "INPUT") -> Sides:
    return {"observedContentType": kind, "mode": mode, "data": data, "encoding": encoding}


def _both(given: Sides, output: Sides) -> Sides:
    return {"endpointInput": given, "endpointOutput": output | {"mode": "OUTPUT"}}


def plain(number: int) -> bytes:
    """A record as an endpoint writes it."""
    return _plain(Random(number), number)


def _plain_row(random: Random) -> list[str]:
    return [
        str(random.randrange(100)),
        f"{random.gauss(0, 1_000):.{random.randrange(6)}f}",
        random.choice(TEXTS),
    ]


def _plain(random: Random, number: int) -> bytes:
    sides = _both(_payload(",".join(_plain_row(random))), _payload(f"{random.random():.6f}"))
    return _dumped(
        {
            "captureData": sides,
            "eventMetadata": {"eventId": f"e{number}", "inferenceTime": WHEN},
            "eventVersion": "0",
        },
        separators=(",", ":"),
    )


def _in_place(random: Random, number: int) -> bytes:
    """A plain record with one byte or letter changed, or one more: what is nearest to what need not be
    looked at closely."""
    made = _plain(random, number)
    marks = [at for at, byte in enumerate(made) if byte == ord('"')]
    data = [made.index(b'"data":"') + 8, made.rindex(b'"data":"') + 8]
    starts = [*data, made.index(b'"eventId":"') + 11, made.index(b'"inferenceTime":"') + 17]
    start = random.choice((*starts, random.choice(marks), random.randrange(len(made))))
    at = min(start + random.choice((0, 0, 1, 2, 5)), len(made))
    return made[:at] + random.choice(_PUT_IN) + made[at + random.randrange(2) :]


def _cell(random: Random) -> str:
    kind = random.random()
    if kind < 0.4:
        return random.choice(NUMBERS)
    if kind < 0.75:
        return random.choice(ODD)
    if kind < 0.85:
        return repr(random.uniform(-1, 1) * 10.0 ** random.randrange(-320, 309))
    if kind < 0.9:
        return str(random.getrandbits(random.randrange(1, 80)))
    return "".join(chr(random.choice((random.randrange(32, 127), random.randrange(0x2FF)))) for _ in range(4))


def _quoted(random: Random, cell: str) -> str:
    """The cell by RFC 4180; now and then in quotes without need, and now and then without though in need."""
    need = any(mark in cell for mark in ',"\r\n')
    if random.random() < (0.95 if need else 0.1):
        return '"{}"'.format(cell.replace('"', '""'))
    return cell


def _line(random: Random, width: int) -> str:
    return ",".join(_quoted(random, _cell(random)) for _ in range(width))


def _odd_cells(random: Random, number: int) -> bytes:
    """Plain but for one or two cells."""
    row = [f"{random.random():.4f}", *_plain_row(random)]
    for _ in range(random.randrange(1, 3)):
        row[random.randrange(4)] = _quoted(random, _cell(random))
    return envelope(number, _both(_payload(",".join(row[1:])), _payload(row[0])), random)


def _csv_rows(random: Random, number: int) -> bytes:
    """Several rows; mostly as many of both sides, mostly of the right width."""
    rows = random.randrange(1, 5)
    end = random.choice(("\n", "\n", "\r\n", "\r"))
    given = end.join(_line(random, _width(random, 3)) for _ in range(rows))
    answers = [
        _quoted(random, random.choice((*NUMBERS, "", "", "")))
        for _ in range(rows if random.random() < 0.8 else 2)
    ]
    output = random.choice((end, ",")).join(answers)
    tails = random.choice(("", "", "\n", "\r\n", "\n\n"))
    return envelope(number, _both(_payload(given + tails), _payload(output + tails)), random)


def _width(random: Random, usual: int) -> int:
    return usual if random.random() < 0.97 else random.randrange(0, 6)


def _wrong_width(random: Random, number: int) -> bytes:
    given, output = _line(random, random.randrange(0, 8)), _line(random, random.randrange(0, 4))
    sides = _both(_payload(given), _payload(output))
    if random.random() < 0.3:
        del sides[random.choice(list(sides))]
    return envelope(number, sides, random)


def _json_value(random: Random, depth: int = 0) -> str:
    """JSON text, or what some take for it."""
    kind = random.random()
    if kind < 0.35:
        return random.choice(NUMBERS)
    if kind < 0.45:
        return random.choice(
            ("true", "false", "null", "NaN", "Infinity", "-Infinity", "01", "+1", ".5", "'a'")
        )
    if kind < 0.8 or depth > 3:
        return json.dumps(_cell(random), ensure_ascii=random.random() < 0.5)
    inner = [_json_value(random, depth + 1) for _ in range(random.randrange(3))]
    if kind < 0.9:
        return "[" + ", ".join(inner) + "]"
    return "{" + ", ".join(f'"{random.choice(("age", "x", "", "a.b"))}": {value}' for value in inner) + "}"


def _json_row(random: Random) -> str:
    """An object with the layout's inputs: now and then without one, with one twice, or with one more."""
    plain = random.random() < 0.6
    values = _plain_row(random)
    cells = {
        "age": values[0],
        "income": values[1],
        "city": json.dumps(values[2]),
    }
    if not plain:
        cells[random.choice(list(cells))] = _json_value(random)
    pairs = [*cells.items()]
    random.shuffle(pairs)
    if random.random() < 0.1:
        pairs.pop()
    if random.random() < 0.05:
        pairs.append((random.choice(("age", "city", "tag", "")), _json_value(random)))
    if random.random() < 0.15:
        return "[" + ", ".join(value for _, value in pairs) + "]"
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs) + "}"


def _json_payload(random: Random) -> str:
    rows = [_json_row(random) for _ in range(random.randrange(1, 4))]
    return random.choice(
        (
            rows[0],
            rows[0],
            "[" + ", ".join(rows) + "]",
            "\n".join(rows),
            "\n".join(rows) + "\n",
            '{"instances": [' + ", ".join(rows) + "]}",
            '{"instances": [{"features": ' + rows[0] + "}]}",
            _json_value(random),
            "[" * (deep := random.choice((3, 50, 1_000, 20_000))) + "]" * random.choice((deep, deep - 1)),
            '{"a":' * deep + "1" + "}" * deep,
            rows[0][: random.randrange(len(rows[0]))],
        )
    )


def _json_sides(random: Random, number: int) -> bytes:
    given = _payload(_json_payload(random), "JSON", "application/json")
    output = random.choice(
        (
            _payload(random.choice(NUMBERS)),
            _payload(random.choice(NUMBERS), "JSON"),
            _payload('{"score": ' + _json_value(random) + "}", "JSON"),
            _payload('{"predictions": [{"score": 0.5}]}', "JSON"),
            _payload('{"predictions": [0.5, 0.25]}', "JSON"),
        )
    )
    return envelope(number, _both(given, output), random)


def _base64(random: Random, number: int) -> bytes:
    text = _json_payload(random) if random.random() < 0.5 else _line(random, _width(random, 3))
    coded = base64.b64encode(
        text.encode("utf-8", "replace") if random.random() < 0.9 else b"\xff" + text.encode("utf-16")
    )
    if random.random() < 0.2:
        coded = _damage(random, coded)
    kind = random.choice(
        ("text/csv", "application/json", "application/octet-stream", "text/csv; charset=utf-8")
    )
    given = _payload(coded.decode("latin-1"), "BASE64", kind)
    return envelope(number, _both(given, _payload("0.5")), random)


def _batch(random: Random, number: int) -> bytes:
    text = random.choice(
        (
            '{"SageMakerOutput": ' + _json_value(random) + ', "age": 3, "income": 1.5, "city": "a"}',
            '{"SageMakerOutput": {"score": 0.5}, "features": [1, 2.5, "a"]}',
            _line(random, _width(random, 4)),
            _json_payload(random),
        )
    )
    form = "JSON" if text[:1] in "{[" else "CSV"
    return envelope(number, {"batchTransformOutput": _payload(text, form)}, random)


def _empty(random: Random, number: int) -> bytes:
    blank = random.choice(
        ("", " ", "\n", "\r\n", '""', ",", ",,", "null", "{}", "[]", "[[]]", "[{}]", '{"instances": []}')
    )
    form = random.choice(("CSV", "JSON", "BASE64"))
    sides = _both(
        _payload(blank, form), _payload(random.choice((blank, "0.5")), random.choice((form, "CSV")))
    )
    return envelope(number, sides, random)


def _odd_time(random: Random, number: int) -> bytes:
    when = random.choice(
        (
            *(
                "2025-03-04T10:02:11",
                "2025-03-04T10:02:11.5Z",
                "2025-03-04T10:02:11.123456Z",
                "20250304T100211Z",
            ),
            *(
                "2025-03-04T12:02:11+02:00",
                "2025-03-04 10:02:11Z",
                "2025-03-04",
                "2025-W10-2",
                "2025-03-04T10:02Z",
            ),
            *("1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
            *(
                "2025-02-29T00:00:00Z",
                "2025-03-04T24:00:00Z",
                "2025-03-04T23:59:60Z",
                "now",
                "",
                "1741082531",
                "{%s}",
            ),
            *(
                None,
                1741082531,
                True,
                [],
                "\uff12\uff10\uff12\uff15-03-04T10:02:11Z",
                "2025-03-04T10:02:11Z ",
                "2025-03-04T11:02:11Z",
            ),
        )
    )
    sides = _both(_payload(",".join(_plain_row(random))), _payload("0.5"))
    return envelope(number, sides, random, inferenceTime=when)


def _odd_envelope(random: Random, number: int) -> bytes:
    """A key that is missing, unknown, twice, of another type, or out of order."""
    whole = json.loads(_plain(random, number))
    place: Any = whole
    while random.random() < 0.6 and (inner := [v for v in place.values() if isinstance(v, dict)]):
        place = random.choice(inner)
    key = random.choice(list(place))
    change = random.randrange(6)
    if change == 0:
        del place[key]
    elif change == 1:
        place[key] = random.choice((None, 0, 1.5, True, "", "x", [], {}, [place[key]], "CSV", "1", 10**400))
    elif change == 2:
        place["more"] = random.choice((None, "x" * 100, {"captureData": {}}, [[[]]], 1e300, "\ud800", "é"))
    elif change == 3:
        place["eventVersion"] = place["inferenceId"] = place["customAttributes"] = random.choice(
            ("0", None, ["a"])
        )
    elif change == 4:
        items = list(place.items())
        random.shuffle(items)
        place.clear()
        place.update(items)
    text = _dumped(whole, separators=(",", ":"))
    if change == 5:  # a key twice
        one = _dumped({key: place[key]}, separators=(",", ":"))[1:-1]
        again = _dumped({key: random.choice((place[key], None, "0.75", {}))}, separators=(",", ":"))[1:-1]
        text = text.replace(one, one + b"," + again, 1)
    return text


def _no_record(random: Random, number: int) -> bytes:
    return random.choice(
        (
            *(
                b"",
                b" ",
                b"{}",
                b"[]",
                b"null",
                b"0",
                b'"x"',
                b"\xef\xbb\xbf",
                b"\x00",
                b"\xff\xfe{}",
                b"{" * 20_000,
            ),
            *(b'{"groundTruthData": {"data": "1"}}', b'{"captureData": {}}', b"[" * 20_000 + b"]" * 20_000),
            b"\xef\xbb\xbf" + _plain(random, number),
            _plain(random, number)
            + random.choice((b"\n", b" ", b"}", b"\x00", b"{}", _plain(random, number))),
            b"\n" + _plain(random, number),
            _plain(random, number).decode().encode("utf-16"),
            _plain(random, number).replace(
                b"north", random.choice((b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\\ud800"))
            ),
            random.randbytes(random.randrange(60)),
        )
    )


def mutate(random: Random, made: bytes) -> bytes:
    """The record after up to three small accidents."""
    for _ in range(random.randrange(1, 4)):
        made = _damage(random, made)
    return made


def _damage(random: Random, made: bytes) -> bytes:
    """Some bytes flipped, cut out, doubled, put in, or all from there on lost."""
    at = random.randrange(len(made) + 1)
    stop = min(at + random.randrange(1, 12), len(made))
    change = random.randrange(6)
    if change == 0 and at < len(made):
        return made[:at] + bytes([made[at] ^ 1 << random.randrange(8)]) + made[at + 1 :]
    if change == 1:
        return made[:at] + made[stop:]
    if change == 2:
        return made[:stop] + made[at:]
    if change == 3:
        return made[:at] + random.choice(_PUT_IN) + made[at:]
    if change == 4:
        return made[:at]
    return made[:at] + random.choice(_PUT_IN) + made[stop:]


_PUT_IN = (
    *(
        b'"',
        b"\\",
        b",",
        b"\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b" ",
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
    ),
    *(b"\\n", b'\\"', b"\\u0000", b"\\ud83d", b"0", b"-", b"e", b"null", b"NaN", b"\xe2\x80\xa8", b"\t"),
)

_MAKERS: dict[Callable[[Random, int], bytes], int] = {
    _plain: 30,
    _in_place: 10,
    _odd_cells: 16,
    _csv_rows: 9,
    _wrong_width: 4,
    _json_sides: 12,
    _base64: 5,
    _batch: 4,
    _empty: 3,
    _odd_time: 3,
    _odd_envelope: 5,
    _no_record: 3,
}


def frames_of(lines: list[bytes], seed: int, largest: int = 600) -> Iterator[list[int]]:
    """Indices of `lines` in frames of random sizes, many of them small."""
    random = Random(seed)
    at = 0
    while at < len(lines):
        size = random.choice((1, 2, 7, 16, 17, 64, random.randrange(1, largest)))
        yield list(range(at, min(at + size, len(lines))))
        at += size
