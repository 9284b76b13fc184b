"""The operations on streams themselves. Each is durable before it is answered."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from schemas.delivery_stream import DeliveryStream, Encryption
from schemas.errors import ConfigError
from stream.ingest.create import Terms, create, encrypted
from stream.ingest.describe import describe
from stream.ingest.faults import in_use, invalid, not_found, too_many
from stream.ingest.intake import Overtaken
from stream.ingest.registry import Registry
from stream.ingest.update import update

Request = dict[str, Any]
Answer = dict[str, Any]
Deliverable = Callable[[DeliveryStream], object]  # raises ValueError or ConfigError when it cannot be

_DAY_MS = 86_400_000
_MAX_ENCRYPTION_CALLS = 25  # of start and stop together, in 24 hours
_MAX_TAGS = 50


class Control:
    """Answers requests whose shape was checked; one that changes something waits for the one before.

    `deliverable` looks at a definition before it is stored, with the eyes of delivery.
    """

    def __init__(self, registry: Registry, max_streams: int, deliverable: Deliverable) -> None:
        self._registry = registry
        self._deliverable = deliverable
        self._max_streams = max_streams
        self._changing = asyncio.Lock()
        self._reads: dict[str, Callable[[Request, Terms], Answer]] = {
            "DescribeDeliveryStream": self._describe,
            "ListDeliveryStreams": self._list,
            "ListTagsForDeliveryStream": self._list_tags,
        }
        self._changes: dict[str, Callable[[Request, Terms], Awaitable[Answer]]] = {
            "CreateDeliveryStream": self._create,
            "DeleteDeliveryStream": self._delete,
            "UpdateDestination": self._update,
            "TagDeliveryStream": self._tag,
            "UntagDeliveryStream": self._untag,
            "StartDeliveryStreamEncryption": self._encrypt,
            "StopDeliveryStreamEncryption": self._decrypt,
        }

    async def answer(self, operation: str, request: Request, terms: Terms) -> Answer:
        """Carry out `operation`. Raises Fault, SinkBusy when it cannot be stored."""
        await self._registry.refresh()
        if read := self._reads.get(operation):
            return read(request, terms)
        async with self._changing:
            await self._registry.sweep()
            try:
                return await self._changes[operation](request, terms)
            except Overtaken as error:
                raise in_use(f"{error}.") from error

    def _find(self, request: Request, terms: Terms) -> DeliveryStream:
        name = request["DeliveryStreamName"]
        stream = self._registry.find(name)
        if stream is None:
            raise not_found(name, terms.account)
        return stream

    def _active(self, request: Request, terms: Terms) -> DeliveryStream:
        stream = self._find(request, terms)
        if (status := stream.status(terms.now)) != "ACTIVE":
            raise in_use(f"Firehose {stream.name} is {status}.")
        return stream

    async def _create(self, request: Request, terms: Terms) -> Answer:
        name = request["DeliveryStreamName"]
        stream = create(request, terms)
        if self._registry.find(name) is not None:
            raise in_use(f"Firehose {name} under account {terms.account} already exists.")
        if len(self._registry.names()) >= self._max_streams:
            raise too_many(f"There are {self._max_streams} delivery streams, and no more can be made.")
        self._check(stream)
        await self._registry.define(stream)
        return {"DeliveryStreamARN": stream.arn}

    async def _delete(self, request: Request, terms: Terms) -> Answer:
        stream = self._find(request, terms)
        status = stream.status(terms.now)
        if status == "CREATING":
            raise in_use(f"Firehose {stream.name} is CREATING.")
        if status == "ACTIVE":
            await self._registry.delete(stream, terms.now + terms.delay)
        return {}

    async def _update(self, request: Request, terms: Terms) -> Answer:
        stream = self._active(request, terms)
        changed = update(stream, request, terms)
        if changed is not stream:
            self._check(changed)
            await self._registry.define(changed)
        return {}

    def _check(self, stream: DeliveryStream) -> None:
        try:
            self._deliverable(stream)
        except (ValueError, ConfigError) as error:
            raise invalid(str(error)) from error

    def _describe(self, request: Request, terms: Terms) -> Answer:
        return {"DeliveryStreamDescription": describe(self._find(request, terms), terms.now)}

    def _list(self, request: Request, terms: Terms) -> Answer:
        after, wanted = request.get("ExclusiveStartDeliveryStreamName", ""), request.get("DeliveryStreamType")
        listed = (stream for stream in map(self._registry.find, self._registry.names()) if stream)
        names = sorted(s.name for s in listed if s.name > after and wanted in (None, s.type))
        limit = request.get("Limit", 10)
        return {"DeliveryStreamNames": names[:limit], "HasMoreDeliveryStreams": len(names) > limit}

    def _list_tags(self, request: Request, terms: Terms) -> Answer:
        stream = self._find(request, terms)
        after, limit = request.get("ExclusiveStartTagKey", ""), request.get("Limit", _MAX_TAGS)
        keys = sorted(key for key in stream.tags if key > after)
        tags = [{"Key": key, "Value": stream.tags[key]} for key in keys[:limit]]
        return {"Tags": tags, "HasMoreTags": len(keys) > limit}

    async def _tag(self, request: Request, terms: Terms) -> Answer:
        stream = self._taggable(request, terms)
        tags = {**stream.tags, **{tag["Key"]: tag.get("Value", "") for tag in request["Tags"]}}
        if len(tags) > _MAX_TAGS:
            raise too_many(f"A stream has at most {_MAX_TAGS} tags.")
        await self._registry.define(replace(stream, tags=tags))
        return {}

    async def _untag(self, request: Request, terms: Terms) -> Answer:
        stream = self._taggable(request, terms)
        tags = {key: value for key, value in stream.tags.items() if key not in request["TagKeys"]}
        await self._registry.define(replace(stream, tags=tags))
        return {}

    def _taggable(self, request: Request, terms: Terms) -> DeliveryStream:
        stream = self._find(request, terms)
        if stream.status(terms.now) == "DELETING":
            raise in_use(f"Firehose {stream.name} is DELETING.")
        return stream

    async def _encrypt(self, request: Request, terms: Terms) -> Answer:
        asked = request.get("DeliveryStreamEncryptionConfigurationInput", {"KeyType": "AWS_OWNED_CMK"})
        return await self._set_encryption(request, terms, encrypted(asked, terms.now + terms.delay))

    async def _decrypt(self, request: Request, terms: Terms) -> Answer:
        return await self._set_encryption(request, terms, Encryption(settled=terms.now + terms.delay))

    async def _set_encryption(self, request: Request, terms: Terms, asked: Encryption) -> Answer:
        stream = self._active(request, terms)
        if stream.type != "DirectPut":
            raise invalid("Only a stream of type DirectPut can be encrypted here.")
        if stream.encryption.status(terms.now) in ("ENABLING", "DISABLING"):
            raise in_use(f"Encryption of {stream.name} is being changed.")
        calls = tuple(at for at in stream.encryption.calls if at > terms.now - _DAY_MS)
        if len(calls) >= _MAX_ENCRYPTION_CALLS:
            raise too_many(f"Encryption was started and stopped {len(calls)} times within 24 hours.")
        if not asked.on:  # the key stays told
            known = stream.encryption
            asked = replace(asked, key_type=known.key_type, key_arn=known.key_arn)
        await self._registry.define(replace(stream, encryption=replace(asked, calls=(*calls, terms.now))))
        return {}
