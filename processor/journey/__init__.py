"""The authorisation journey: companies, platforms, connections, links, and the way back from Codat."""
