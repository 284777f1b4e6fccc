"""Published reserves, recounted every night: an Airflow DAG that only calls the command line.

Every exit code but 0 fails the task: what each one means stands in docs/operations.md.
There is no retry: the next night continues the run. At the time limit Airflow sends SIGTERM, upon
which what is finished is kept. `skip_on_exit_code` is off so that no
code can be taken for a skip.
"""

from datetime import UTC, datetime, timedelta

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

COMMAND = """
export HOSTED_KEY_FILE=/srv/reserves/hosted-key
/opt/recount/bin/recount run list.zip --endpoints endpoints.toml --log json > last.txt
"""

with DAG(
    dag_id="recount",
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="recount",
        bash_command=COMMAND,
        cwd="/srv/reserves",
        append_env=True,
        skip_on_exit_code=None,
        retries=0,
        execution_timeout=timedelta(hours=20),
    )
