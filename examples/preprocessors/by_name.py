"""A preprocessor: preprocessor = "examples/preprocessors/by_name.py" in streamgauge.toml.

Requests hold several rows, "age,city" a line, and answers a score a line; test traffic is skipped.
"""


def preprocess_handler(inference_record, logger):
    """The rows of a captured record, by the names of the baseline's columns."""
    attributes = inference_record.event_metadata.custom_attribute
    if attributes and "test=true" in attributes[0]:
        logger.debug("test traffic: %s", inference_record.event_metadata.event_id)
        return []
    scores = inference_record.endpoint_output.data.splitlines()
    rows = []
    for score, line in zip(scores, inference_record.endpoint_input.data.splitlines(), strict=True):
        age, city = line.split(",")
        rows.append({"score": score, "age": None if age == "-1" else age, "city": city})
    return rows
