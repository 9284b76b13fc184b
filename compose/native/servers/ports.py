"""Ports of 127.0.0.1: whether they are free, and what answers there."""

import http.client
import socket
import struct

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def get(port: int, path: str) -> tuple[int, bytes] | None:
    """Status and body of an HTTP GET; None while nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def kafka_brokers(port: int) -> int:
    """How many brokers a Kafka broker knows to be in service (Metadata request, version 1, of no topic)."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # api, version, correlation id, no client id, no topics
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answers:
                _size, _correlation, brokers = struct.unpack(">iii", answers.read(12))
                return int(brokers)
    except (OSError, struct.error):
        return 0
