"""Simulation metrics: run tests, their executions, and the calls of an execution."""
