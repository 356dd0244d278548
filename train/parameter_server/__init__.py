"""Asynchronous SGD on parameter servers: servers, workers, and the run of both."""
