"""The specs with every rule that the server checks, for tools that read `pattern` only."""


def with_whole_rules(node):
    """Returns a copy in which `x-quietline-pattern` has replaced `pattern`."""
    if isinstance(node, list):
        return [with_whole_rules(child) for child in node]
    if not isinstance(node, dict):
        return node
    copy = {key: with_whole_rules(child) for key, child in node.items()}
    if "x-quietline-pattern" in copy:
        copy["pattern"] = copy.pop("x-quietline-pattern")
    return copy
