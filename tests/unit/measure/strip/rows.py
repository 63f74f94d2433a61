"""Rows as Ray's state API gives them, and the summary of a job that has them."""

from raykit.measure import strip

HEAD, WORKER = "a" * 56, "b" * 56
GONE = {"state": "DEAD", "why": "Unexpected termination: health check failed"}


def node(
    node_id=HEAD, cpus=2.0, *, head=True, name="127.0.0.1", state="ALIVE", start=0, end=0, why=None
):
    """A row of Ray's nodes; times in milliseconds, 0 where Ray has none."""
    return {
        "node_id": node_id,
        "is_head_node": head,
        "node_name": name,
        "state": state,
        "state_message": why,
        "resources_total": {"CPU": cpus} if cpus else {},
        "start_time_ms": start,
        "end_time_ms": end,
    }


def worker(cpus=2.0, **fields):
    return node(WORKER, cpus, head=False, **fields)


def row(
    start,
    end,
    node_id=HEAD,
    *,
    name="work",
    state="FINISHED",
    attempt=0,
    kind="NORMAL_TASK",
    cpus=1.0,
    made=None,
    actor=None,
    error=None,
):
    """A row of Ray's tasks; a task is made, unless told otherwise, when all of them are."""
    return {
        "type": kind,
        "func_or_class_name": name,
        "node_id": node_id,
        "actor_id": actor,
        "required_resources": {"CPU": cpus} if cpus else {},
        "creation_time_ms": made,
        "start_time_ms": start,
        "end_time_ms": end,
        "state": state,
        "attempt_number": attempt,
        "error_type": error,
    }


def actor_rows(actor, node_id, *spans, cpus=1.0, name="Loader"):
    """An actor's creation, whose Ray node Ray does not name, and its methods."""
    creation = row(
        spans[0][0] - 10,
        spans[0][0],
        None,
        name=f"{name}.__init__",
        kind="ACTOR_CREATION_TASK",
        cpus=cpus,
        actor=actor,
    )
    methods = [
        row(start, end, node_id, name=f"{name}.load", kind="ACTOR_TASK", cpus=0, actor=actor)
        for start, end in spans
    ]
    return [creation, *methods]


def summary(rows, nodes=None, *, dropped=0, now=1000.0, **more):
    return strip.summarise(rows, dropped, nodes or [node()], now, **more)
