"""Despacho beside its rivals: one run on one machine, every peer doing the same no-op task in interleaved rounds.

It is no test and no proof: a machine's speed swings, so what counts are the ratios within one run.
"""
