"""The same captures through Kafka and workers as through the embedded host: the same answer."""

import pytest

from workers import make_traffic, truth_of


@pytest.mark.parametrize(("partitions", "judge_partitions", "workers"), [(1, 1, 1), (2, 1, 2), (4, 2, 2)])
def test_any_number_of_partitions_and_workers_gives_the_answer_of_the_embedded_host(
    mixed, run_of, partitions, judge_partitions, workers
):
    traffic, truth = mixed
    run = run_of(traffic, partitions=partitions, judge_partitions=judge_partitions)
    for number in range(workers):
        run.worker(f"worker-{number}").start()
    run.send()
    run.until_done(truth)
    run.same(truth)
    if workers > 1:
        assert all("shard=watch" in worker.told() for worker in run.workers), "one had nothing to do"


def test_messages_of_one_record_give_the_same_answer_as_frames(run_of, tmp_path_factory):
    directory = tmp_path_factory.mktemp("raw")
    traffic = make_traffic(directory, 2_000, 14, ["churn"])
    truth = truth_of(traffic, directory)
    run = run_of(traffic)
    run.send(frame=1)
    run.worker().start()
    run.until_done(truth)
    run.same(truth)
