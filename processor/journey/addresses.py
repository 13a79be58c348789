"""Adding query parameters to addresses that come from elsewhere."""

from urllib.parse import quote_plus, unquote_plus, urlencode


def with_query(url: str, **parameters: str | None) -> str:
    """``url`` with the parameters added before its fragment; ``None`` leaves a parameter out.

    The existing query stays as it is written, except for parameters of the same name, which are replaced.
    """
    added = {name: value for name, value in parameters.items() if value is not None}
    address, hash_, fragment = url.partition("#")
    path, _, query = address.partition("?")
    pairs = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in added]
    if added:
        pairs.append(urlencode(added, quote_via=quote_plus))
    return path + ("?" + "&".join(pairs) if pairs else "") + hash_ + fragment
