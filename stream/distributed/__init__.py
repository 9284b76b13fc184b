"""The distributed host: the stages as a Faust app on Kafka, with their states in RocksDB and changelogs."""
