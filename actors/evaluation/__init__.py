"""How good the engines are on labelled examples: `despacho evaluate`. No task runs any of this.

`gold` reads the examples, `triage`, `documents`, `entities` and `extraction` put them through an engine and score the
answers with `measures`, and `as_text` and `as_page` show the `Evaluation` that comes out.
"""
