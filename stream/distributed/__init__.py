"""The distributed host's own parts: the door in front of Kafka, and delivery behind it."""
