"""Compiles each `pattern` of the specs in the regular expressions of other people's tools, and
checks that all of them agree: ECMA-262 (Node.js), PCRE2 (PHP), RE2 (Go) and Python.

tests/it/contract/patterns.rs does the same in Rust.
"""

import ctypes
import ctypes.util
import json
import pathlib
import re
import subprocess
import sys

import re2
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
SPECS = ("agentmessage", "tether-relay")
# Texts for every pattern, beside its example. None ends with a line feed: `$` differs there.
TEXTS = ("", " ", "a", "Z", "0", "é", "\u00a0", "\u2028", "😀", "\0", "a\nb", "a/b", "{}", '"a"')

# Reads {pattern: texts} and prints {pattern: verdicts}. The flag is the first argument.
ECMASCRIPT = """
const flag = process.argv[1];
const verdicts = ([pattern, texts]) => {
  const compiled = new RegExp(pattern, flag);
  return [pattern, texts.map((text) => compiled.test(text))];
};
const wanted = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(Object.fromEntries(Object.entries(wanted).map(verdicts))));
"""


def patterns(node, found):
    """Collects the texts to try, by pattern: examples beside it, changed examples, and TEXTS."""
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            texts = found.setdefault(node["pattern"], set(TEXTS))
            example = node.get("example")
            if isinstance(example, str):
                texts |= {example, example[1:], example[:-1], example + "x", example + "é"}
                texts |= {example.upper(), example.lower(), example + " ", "\n" + example}
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            patterns(child, found)
    return found


def ecmascript(flag, wanted):
    run = subprocess.run(
        ["node", "-e", ECMASCRIPT, flag],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
    )
    if run.returncode != 0:
        raise ValueError(run.stderr.strip())
    return json.loads(run.stdout)


def with_compiler(compile):
    """Returns an engine that compiles a pattern and searches texts."""

    def engine(wanted):
        verdicts = {}
        for pattern, texts in wanted.items():
            compiled = compile(pattern)
            verdicts[pattern] = [compiled.search(text) is not None for text in texts]
        return verdicts

    return engine


class Pcre2:
    """Pattern of the system's PCRE2, without options, as the generated PHP client compiles it."""

    # git on Debian uses it, and the Python packages of it change the syntax or need a compiler.
    _NAME = ctypes.util.find_library("pcre2-8")

    def __init__(self, pattern):
        if self._NAME is None:
            raise RuntimeError("libpcre2-8 is not installed")
        self._library = ctypes.CDLL(self._NAME)
        self._library.pcre2_compile_8.restype = ctypes.c_void_p
        self._library.pcre2_match_data_create_8.restype = ctypes.c_void_p
        pattern, code, offset = pattern.encode(), ctypes.c_int(), ctypes.c_size_t()
        compiled = self._library.pcre2_compile_8(
            pattern,
            ctypes.c_size_t(len(pattern)),
            0,
            ctypes.byref(code),
            ctypes.byref(offset),
            None,
        )
        if compiled is None:
            raise ValueError(f"error {code.value} at {offset.value}")
        self._compiled = ctypes.c_void_p(compiled)
        self._found = ctypes.c_void_p(self._library.pcre2_match_data_create_8(1, None))

    def search(self, text):
        """Returns True if the pattern is found, else None."""
        subject, start = text.encode(), ctypes.c_size_t(0)
        length = ctypes.c_size_t(len(subject))
        code = self._library.pcre2_match_8(
            self._compiled, subject, length, start, 0, self._found, None
        )
        return True if code >= 0 else None


def re2_compile(pattern):
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


ENGINES = {
    "Python": with_compiler(re.compile),
    "ECMA-262": lambda wanted: ecmascript("", wanted),
    "ECMA-262 with u": lambda wanted: ecmascript("u", wanted),
    "PCRE2": with_compiler(Pcre2),
    "RE2": with_compiler(re2_compile),
}


def refused(engine, pattern):
    """Returns why an engine does not compile the pattern, or None."""
    try:
        engine({pattern: []})
    except Exception as error:
        return str(error)
    return None


def main():
    # The check itself must find what it should.
    for name, pattern in (("PCRE2", r"[^\u0000]"), ("RE2", "(?!a)"), ("ECMA-262 with u", r"\_")):
        if refused(ENGINES[name], pattern) is None:
            sys.exit(f"{name} must refuse {pattern}")
    found = {}
    for name in SPECS:
        patterns(yaml.safe_load((ROOT / "openapi" / f"{name}.yaml").read_text()), found)
    wanted = {pattern: sorted(texts) for pattern, texts in found.items()}
    problems = []
    for name, engine in ENGINES.items():
        causes = {pattern: refused(engine, pattern) for pattern in wanted}
        problems += [f"{name}: {pattern}: {cause}" for pattern, cause in causes.items() if cause]
    if not problems:
        expected = ENGINES["Python"](wanted)
        for name, engine in ENGINES.items():
            for pattern, verdicts in engine(wanted).items():
                rows = zip(wanted[pattern], verdicts, expected[pattern], strict=True)
                differing = [text for text, verdict, other in rows if verdict != other]
                if differing:
                    problems.append(f"{name}: {pattern} differs from Python: {differing}")
    print("\n".join([*problems, f"patterns: {len(wanted)} in {len(ENGINES)} engines"]))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
