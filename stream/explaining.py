"""Attribution of windows: the pure monitor, and a model that is asked when a window is whole."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from monitors.attribution import Attribution, AttributionState
from schemas.report import Finding
from schemas.rows import Rows
from stream.explainer import Explainer, local_values


class Explaining:
    """`inner`, whose states get the attributions that it judges by from `explainer` at the end of a window.

    The states that it observes and merges are the monitor's, and so is the judgement. What the explainer
    cannot do is said in the finding; a window is never lost to it, and waits no longer than its budget.
    """

    def __init__(
        self, inner: Attribution, explainer: Explainer, local: Literal["csv", "parquet"] | None = None
    ) -> None:
        self.name = inner.name
        self._inner, self._explainer, self._local = inner, explainer, local

    def observe(self, rows: Rows) -> AttributionState:
        """As `inner`."""
        return self._inner.observe(rows)

    def load(self, parts: Mapping[str, bytes]) -> AttributionState:
        """As `inner`."""
        return self._inner.load(parts)

    def finish(self, state: AttributionState) -> Finding:
        """Explain the sample, then judge."""
        if not len(state.sample):
            return self._inner.finish(state)
        labels = self._inner.labels
        answered = self._explainer.explain(state.sample, len(labels))
        found = answered.found or state.found
        finding = self._inner.finish(
            state.explained_by(found, answered.expected.tolist(), answered.incomplete)
        )
        if self._local and answered.found:
            name, content = local_values(answered.local, [*self._inner.features], [*labels], self._local)
            finding = msgspec.structs.replace(finding, documents={**finding.documents, name: content})
        return finding
