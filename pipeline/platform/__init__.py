"""The live system on one machine: Postgres, Airflow and the desk, supervised, on loopback only.

`services` starts and stops it all; `airflow` says how Airflow is set up, `supervisor` keeps processes alive,
`rest` talks to Airflow, `doctor` looks for what is wrong. Production runs docker-compose.yml instead.
"""
