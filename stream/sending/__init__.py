"""Sending captures to where a service takes them in, as traffic would come."""
