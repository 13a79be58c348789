"""Everything that is wrong now, as one list of conditions: code, severity, since when, sentence, advice.

``/readyz``, ``/ops``, ``/v1/stats``, ``/metrics``, ``check`` and the operators' alerts say what stands in
this list and nothing else. ``facts`` reads Redis, the modules of rules are pure, ``registry`` is the table.
"""
