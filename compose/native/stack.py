#!/usr/bin/env python3
"""Kafka, OpenSearch and an S3 server on 127.0.0.1 without containers. Needs Java (17, and 21 or newer for
OpenSearch) and Maven. Each port can also be set in the environment, such as STREAMGAUGE_KAFKA_PORT."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers import running
from servers.errors import StackError
from servers.kinds import CREDENTIAL, IDENTITY, KINDS
from servers.running import DEFAULT_PORTS, Folder

PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """0 when it is as asked, 1 when not, 2 for wrong use."""
    chosen = _parser(environment).parse_args(arguments)
    folder = Folder(chosen.folder.resolve())
    names = list(dict.fromkeys(chosen.servers)) or list(KINDS)
    try:
        return int(chosen.command(folder, names, chosen))
    except (StackError, OSError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(folder: Folder, names: list[str], chosen: argparse.Namespace) -> int:
    at = {name: getattr(chosen, name.replace("-", "_") + "_port") for name in DEFAULT_PORTS}
    running.up(folder, names, at, lambda line: print(line, flush=True))
    if "s3" in names:
        print(f"s3: access key {IDENTITY}, secret key {CREDENTIAL}")
    return 0


def _down(folder: Folder, names: list[str], chosen: argparse.Namespace) -> int:
    stopped = running.down(folder, names)
    if chosen.wipe:
        running.wipe(folder, names)
    if not chosen.quiet:
        print(f"stopped: {', '.join(stopped) or 'nothing ran'}{', data removed' if chosen.wipe else ''}")
    return 0


def _status(folder: Folder, names: list[str], chosen: argparse.Namespace) -> int:
    states = {name: running.state(folder, name) for name in names}
    for name, state in states.items():
        process = folder.process(name)
        where = f"  {running.address(folder, name)}  process {process.pid}" if process else ""
        print(f"{name:<12}{state:<10}{where}")
        if state == "crashed":
            print(f"the end of {folder.log(name)}:\n{running.tail(folder.log(name))}")
    return 0 if set(states.values()) == {"running"} else 1


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack.py", description=__doc__)
    parser.set_defaults(wipe=False, quiet=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start servers and wait until they are ready")
    down = commands.add_parser("down", help="stop those that up has started")
    status = commands.add_parser("status", help="say which run; 0 when all do")
    for command, act in ((up, _up), (down, _down), (status, _status)):
        command.set_defaults(command=act)
        command.add_argument("servers", nargs="*", metavar="SERVER", type=_server, help=", ".join(KINDS))
        default = environment.get("STREAMGAUGE_STACK") or PROJECT / ".stack"
        command.add_argument("--folder", type=Path, default=default, help="jars, data and logs (.stack)")
    down.add_argument("--wipe", action="store_true", help="remove their data and logs as well")
    down.add_argument("--quiet", action="store_true", help="print nothing but errors")
    for name, port in DEFAULT_PORTS.items():
        variable = f"STREAMGAUGE_{name.replace('-', '_').upper()}_PORT"
        given = environment.get(variable) or str(port)
        up.add_argument(f"--{name}-port", type=int, default=given, metavar="PORT", help=f"instead of {port}")
    return parser


def _server(name: str) -> str:
    if name not in KINDS:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(KINDS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
