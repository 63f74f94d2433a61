"""JSON data of which one part is changed."""

import copy

GONE = object()
"""In place of a value: the part is taken away."""


def places(value, path=(), most=None):
    """The path of every part of JSON data; of long lists, of their first `most` items."""
    if path:
        yield path
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value[:most])
        for key, part in parts:
            yield from places(part, (*path, key), most)


def changed(data, path, value):
    """The data with another value at a path."""
    result = copy.deepcopy(data)
    part = result
    for key in path[:-1]:
        part = part[key]
    if value is GONE:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return result
