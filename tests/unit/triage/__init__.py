"""Tests of the local triage engine."""
