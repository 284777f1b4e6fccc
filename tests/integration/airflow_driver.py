"""Runs the DAGs of a folder as ``airflow dags test`` does; started with Airflow's own Python.

For each DAG one line of JSON behind ``RESULT``: its name, the states of its run and of its tasks.
"""

from __future__ import annotations

import json
import sys

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models import DagBag


def main() -> None:
    bag = DagBag(sys.argv[1])
    if bag.import_errors:
        sys.exit(f"cannot be imported: {bag.import_errors}")
    for name, dag in sorted(bag.dags.items()):
        run = dag.test()
        tasks = {one.task_id: str(one.state) for one in run.get_task_instances()}
        told = {"dag": name, "state": str(run.state), "tasks": tasks}
        sys.stdout.write("RESULT " + json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
