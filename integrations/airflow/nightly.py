from datetime import datetime

from airflow.sdk import dag, task
from flowpulse_airflow import tell_failure, tell_success


@dag(
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    on_success_callback=tell_success,
    on_failure_callback=tell_failure,
)
def nightly():
    @task
    def load():
        print("Your task goes here.")

    load()


nightly()
