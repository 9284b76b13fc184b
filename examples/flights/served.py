"""The demo's model as an endpoint: how likely a flight is late.

    streamgauge model-server examples/flights/served.py:model --columns carrier,origin,dest,distance,...

It is trained when it starts, on the flights of the first three months, as in the demo.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for so few rows at a time, threads cost more than they bring

import pandas as pd
import pyarrow as pa

from model import CATEGORIES, FEATURES, departures, train

_flights = departures()
_training = _flights[(_flights["date"] < "2013-04-01") & _flights["arr_delay"].notna()]
_model = train(_training)
_kinds = {name: pd.CategoricalDtype(sorted(_training[name].unique())) for name in CATEGORIES}


def model(rows: pa.Table):
    """Probability to be late of flights, columns in the order of FEATURES whatever they are called."""
    flights = rows.rename_columns(FEATURES).to_pandas().astype(_kinds)
    return _model.predict_proba(flights)[:, 1]
