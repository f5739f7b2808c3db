"""The local triage engine: area, urgency, summary and questions for a client's conversation, offline.

What it knows lies beside it as readable data (`bank/`), its weights are made from that data by `train.py`, and
`local.py` is its only public face. It gives no legal advice and decides nothing: it sorts.
"""
