"""The JVM, its start, and the Spark session."""
