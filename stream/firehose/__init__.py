"""From the records of a delivery stream to the objects that Amazon Data Firehose would put into S3: pure."""
