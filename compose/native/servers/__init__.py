"""Kafka, OpenSearch and an S3 server as plain processes on 127.0.0.1; needs Python, Java and Maven only."""
