"""The tutorial's first question: is the same function faster as Ray tasks than in a loop?

`python -m jobs.fib --size 100000` makes `--tasks` long Fibonacci sequences one after the other
(the local arm), then the same number as Ray tasks, proves that both agree, and prints the times,
the speedup and the parallel efficiency. Runs inside a Ray cluster, or starts a Ray of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray

from jobs import job, ratios, timing
from jobs.fib.memory import Node, Run, largest_size, shortages
from jobs.fib.report import report, serial_fraction

EXIT_MEMORY = 3
EXIT_DISAGREE = 4
LIMITS = {"size": 10**9, "tasks": 100_000, "repeat": 1_000}
WARM_UP_SECONDS, HOLD_SECONDS, WARM_UP_SIZE = 60.0, 0.2, 1_000
LEAST_TASKS = 4


@dataclass(frozen=True)
class Cluster:
    """The Ray nodes, and whether the local arm runs as a task on one of them."""

    nodes: tuple[Node, ...]
    in_pod: bool

    @property
    def task_cpus(self) -> int:
        return sum(node.cpus for node in self.nodes)

    @property
    def local_task(self) -> bool:
        """Whether the local arm runs as a Ray task, so that it gets the same kind of CPU."""
        head_has_none = any(node.driver and not node.cpus for node in self.nodes)
        return len(self.nodes) > 1 or head_has_none or self.in_pod


def fibonacci(size: int) -> list[int]:
    """The first `size` Fibonacci numbers, as the tutorial makes them."""
    sequence: list[int] = []
    for i in range(size):
        if i < 2:
            sequence.append(i)
        else:
            sequence.append(sequence[i - 1] + sequence[i - 2])
    return sequence


def digest(number: int) -> str:
    """SHA-256 of a number of any length."""
    return hashlib.sha256(number.to_bytes(number.bit_length() // 8 + 1, "little")).hexdigest()


def call(size: int, returns: str) -> Any:
    """One call, the same in both arms: (size, hash of the last number), or the sequence."""
    sequence = fibonacci(size)
    return sequence if returns == "sequence" else (len(sequence), digest(sequence[-1]))


def run_local(size: int, count: int, returns: str) -> tuple[float, float, Any, bool]:
    """Call once per task in a loop: Unix start, seconds, the first answer, whether all agree."""
    began, clock = time.time(), time.perf_counter()
    answers = [call(size, returns) for _ in range(count)]
    seconds = time.perf_counter() - clock
    return began, seconds, answers[0], all(answer == answers[0] for answer in answers)


def run_tasks(size: int, count: int, returns: str) -> tuple[float, float, list[Any], set[str]]:
    """The same calls as Ray tasks: Unix start, seconds, the answers, the Ray nodes that worked."""
    began, clock = time.time(), time.perf_counter()
    pairs = [remote_call.remote(size, returns) for _ in range(count)]
    answers = ray.get([answer for answer, _ in pairs])
    seconds = time.perf_counter() - clock
    return began, seconds, answers, {node for node, _ in ray.get([worker for _, worker in pairs])}


def fibonacci_task(size: int, returns: str, hold: float = 0.0) -> tuple[Any, tuple[str, int]]:
    """The body of one Ray task: a call, and the Ray node and process that made it.

    hold: seconds to keep the worker busy afterwards, so that the next task needs another one.
    """
    answer = call(size, returns)
    time.sleep(hold)
    return answer, (ray.get_runtime_context().get_node_id(), os.getpid())


def cpu_model_task() -> str | None:
    """The CPU model where this task runs."""
    return timing.machine().get("cpu_model")


# Made only once: Ray sends every new remote function to the workers, which takes measured time.
remote_call = ray.remote(num_cpus=1, num_returns=2)(fibonacci_task)
remote_loop = ray.remote(num_cpus=1)(run_local)


def cluster() -> Cluster:
    """The Ray cluster as Ray describes it; the operating system does not know its limits."""
    here = ray.get_runtime_context().get_node_id()
    nodes = [_node(row, here) for row in ray.nodes() if row["Alive"]]
    return Cluster(tuple(nodes), "KUBERNETES_SERVICE_HOST" in os.environ)


def _node(row: dict[str, Any], here: str) -> Node:
    offered = row["Resources"]
    return Node(
        name=f"Ray node {row['NodeID'][:8]} ({row['NodeManagerAddress']})",
        cpus=int(offered.get("CPU", 0)),
        memory=int(offered.get("memory", 0)),
        object_store=int(offered.get("object_store_memory", 0)),
        driver=row["NodeID"] == here,
    )


def warm_up(wanted: int) -> None:
    """Start a worker on each task CPU that will be used, and let it load the task.

    The first task of a worker waits for its process and its code, which is no part of computing.
    """
    workers = set[tuple[str, int]]()
    deadline = time.monotonic() + WARM_UP_SECONDS
    with timing.span("warm-up") as attributes:
        while time.monotonic() < deadline:
            # An autoscaler that starts from nothing needs one task that waits.
            count = min(wanted, max(cluster().task_cpus, 1))
            pairs = [remote_call.remote(WARM_UP_SIZE, "size", HOLD_SECONDS) for _ in range(count)]
            workers.update(ray.get([worker for _, worker in pairs]))
            if len(workers) >= min(wanted, cluster().task_cpus):
                break
        attributes |= {"workers": len(workers), "tasks_at_once": count}


def cpu_models() -> list[str] | None:
    """The CPU models of the Ray nodes that take tasks; None if one of them is unknown."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    nodes = [row for row in ray.nodes() if row["Alive"] and row["Resources"].get("CPU")]
    look = ray.remote(num_cpus=1)(cpu_model_task)
    asked = [
        look.options(scheduling_strategy=affinity(row["NodeID"], soft=False)).remote()
        for row in nodes
    ]
    try:
        models = ray.get(asked)
    except ray.exceptions.RayError:
        return None
    return None if None in models else sorted(set(models))


def default_tasks(p: int) -> int:
    """As many sequences as fill every task CPU, and no fewer than the largest shape has CPUs.

    So the shapes of deploy/clusters, with 1, 2 and 4 task CPUs, do the same work by default.
    """
    return p * -(-LEAST_TASKS // p)


class Comparison:
    """Measures both arms in turn, and compares every answer with the first one."""

    def __init__(self, size: int, tasks: int, returns: str, cluster: Cluster) -> None:
        self.size, self.tasks, self.returns, self.cluster = size, tasks, returns, cluster
        self.cpu_models = cpu_models()
        self.seconds: dict[str, list[float]] = {"local": [], "tasks": []}
        self.agree = True
        self.nodes: set[str] = set()
        self._reference: Any = None

    def local(self, repeat: int) -> None:
        arguments = (self.size, self.tasks, self.returns)
        if self.cluster.local_task:
            began, seconds, answer, same = ray.get(remote_loop.remote(*arguments))
        else:
            began, seconds, answer, same = run_local(*arguments)
        self.agree &= same
        self._compare(answer)
        self._note("local", began, seconds, repeat)

    def remote(self, repeat: int) -> None:
        began, seconds, answers, nodes = run_tasks(self.size, self.tasks, self.returns)
        for answer in answers:
            self._compare(answer)
        self.nodes |= nodes
        self._note("tasks", began, seconds, repeat)

    def _compare(self, answer: Any) -> None:
        if self._reference is None:
            self._reference = answer
        self.agree &= answer == self._reference

    def _note(self, arm: str, began: float, seconds: float, repeat: int) -> None:
        self.seconds[arm].append(seconds)
        timing.record(
            arm,
            began,
            seconds,
            arm=arm,
            size=self.size,
            tasks=self.tasks,
            p=self.cluster.task_cpus,
            repeat=repeat,
            returns=self.returns,
        )

    def data(self) -> dict[str, Any]:
        """The result event's data."""
        local, tasks = self.seconds["local"], self.seconds["tasks"]
        p, models = self.cluster.task_cpus, self.cpu_models
        speedup = ratios.speedup(local, tasks)
        return {
            "size": self.size,
            "tasks": self.tasks,
            "p": p,
            "returns": self.returns,
            "agree": self.agree,
            "warm": True,
            "local_ran_as": "one Ray task" if self.cluster.local_task else "driver",
            "cpu_models": models or [],
            "ray_nodes": len(self.cluster.nodes),
            "ray_nodes_used": len(self.nodes),
            "local_seconds": local,
            "tasks_seconds": tasks,
            "speedup": speedup,
            "efficiency": speedup / p if speedup else None,
            "serial_fraction": serial_fraction(speedup, min(p, self.tasks)),
        }

    def work(self) -> dict[str, Any]:
        """The work, independent of the cluster: runs with equal work can be compared."""
        last = self._reference[-1]
        return {
            "size": self.size,
            "tasks": self.tasks,
            "returns": self.returns,
            "answer": digest(last) if self.returns == "sequence" else last,
        }


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; exit status 2 with every problem."""
    parser = job.OptionParser("fib", description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="100000", help="numbers in a sequence (%(default)s)")
    parser.add_argument(
        "--tasks",
        help=f"sequences to make (default: the least multiple of the task CPUs from {LEAST_TASKS})",
    )
    parser.add_argument("--repeat", default="4", help="times to run both arms (%(default)s)")
    parser.add_argument("--mode", choices=("both", "local", "tasks"), default="both")
    parser.add_argument(
        "--returns",
        choices=("size", "sequence"),
        default="size",
        help="what a call sends back: its size and a hash, or the whole sequence (%(default)s)",
    )
    options = parser.parse_args(argv)
    if problems := job.read_counts(options, LIMITS):
        parser.refuse(problems)
    return options


def check_memory(options: argparse.Namespace, tasks: int, cluster: Cluster) -> list[str]:
    """Why the run would not fit into memory; empty if it fits."""
    run = Run(
        options.size,
        tasks,
        local=options.mode != "tasks",
        remote=options.mode != "local",
        sequences=options.returns == "sequence",
        local_task=cluster.local_task,
    )
    short = shortages(run, cluster.nodes)
    if short:
        fits = largest_size(run, cluster.nodes)
        short.append(f"the largest --size that fits here is {fits:,}, all else equal")
    return short


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    job.join_ray()
    timing.start("fib", arguments=vars(options))
    if not cluster().task_cpus:
        # An autoscaler may start without nodes; p is known once it has added one.
        warm_up(1)
    tasks = options.tasks or default_tasks(cluster().task_cpus)
    short = check_memory(options, tasks, cluster())
    if short:
        return job.fail(EXIT_MEMORY, "memory", f"--size {options.size:,} would not fit", *short)
    warm_up(1 if options.mode == "local" else tasks)
    comparison = Comparison(options.size, tasks, options.returns, cluster())
    for repeat in range(options.repeat):
        if options.mode != "tasks":
            comparison.local(repeat)
        if options.mode != "local":
            comparison.remote(repeat)
    data = comparison.data()
    if not data["agree"]:
        return job.fail(EXIT_DISAGREE, "disagreement", "local and remote results differ")
    print("\n".join(report(data)))
    timing.result(data, task_cpus=data["p"], work=comparison.work())
    return 0


if __name__ == "__main__":
    sys.exit(main())
