"""PostgreSQL adapters of the ports: plain SQL, one statement per question where possible."""
