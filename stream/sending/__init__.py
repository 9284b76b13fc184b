"""Sending captures and their ground truth to where a service takes them in, as traffic would come."""
