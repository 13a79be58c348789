"""People and programs with access: operators, their sessions, API keys, and the audit trail."""
