"""SQL over the published tables of a run, by DuckDB: read-only, without Spark."""
