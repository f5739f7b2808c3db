"""The toolbox for Portuguese legal text: what is named in it, which days it speaks of, which terms run, and
what it says in short. Pure functions over strings: no files written, no network, no state, nothing raised on
odd input. What the findings mean for a case is for the triage and the document engine to say.
"""
