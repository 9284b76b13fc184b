"""Settings of a model's quality: where labels come from, and what they are labels of."""

from datetime import timedelta

from pydantic import Field

from schemas.quality import ProblemType
from stream.fields import Directory, Duration, Name, Place, Section


class LabelSettings(Section):
    """Where ground truth is found, and how long it and predictions wait for each other."""

    places: tuple[Place, ...] = Field(
        (), description="files or directories of ground truth, JSON Lines or CSV, local or s3://"
    )
    retention: Duration = Field(
        timedelta(days=7), description="how long after its end a window waits for labels, in event time"
    )
    max_bytes: int = Field(
        512 << 20, ge=1 << 20, description="bytes of predictions and labels kept in memory, about"
    )
    merged: bool = Field(True, description="write joined captures into OUTPUT/merged, as Model Monitor does")


class QualitySettings(Section):
    """What a model answers and how that is judged, in SageMaker's words, as far as its baseline does not say.
    An attribute is the name of a column, or the number of an output from 0, as text."""

    baseline: Directory | None = Field(
        None, description="directory of the model-quality baseline, where it is another one"
    )
    problem_type: ProblemType | None = None
    inference_attribute: Name | None = Field(None, description="prediction")
    probability_attribute: Name | None = Field(None, description="probability")
    probability_threshold_attribute: float = Field(
        0.5, ge=0, le=1, description="the positive class is predicted above it, without inference_attribute"
    )
    ground_truth_attribute: Name | None = Field(
        None, description="label in ground truth that is a JSON object"
    )
    positive_label: Name | None = Field(None, description="positive class of a binary problem")
    constant_label: Name | None = Field(
        None, description="what the constant classifier of a multiclass problem answers"
    )
    minimum_sample_size: int = Field(
        0, ge=0, description="rows with a label, of estimates rows, below which a window has no violation"
    )
    standard_errors: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="a metric is a violation when it is so far beyond"
    )
