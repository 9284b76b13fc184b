"""The Firehose door: an HTTP API that unmodified AWS clients speak, and the durable queue behind it."""
