"""Delivery: from the queue of each stream to its destination, a range at a time."""
