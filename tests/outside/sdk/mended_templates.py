"""Takes the pinned generator's own templates and mends what is wrong in the clients they make.

Each edit names the text it expects and how often; a generator whose templates have changed stops here.
"""

import pathlib
import subprocess
import tempfile


class Template:
    """One template of the generator, edited in memory."""

    def __init__(self, folder, name):
        self.name = name
        self.text = (folder / name).read_text()

    def replace(self, old, new, times=1):
        """Replaces a text that occurs exactly `times` times."""
        found = self.text.count(old)
        if found != times:
            raise SystemExit(f"{self.name}: {found} instead of {times} times: {old!r}")
        self.text = self.text.replace(old, new)

    def replace_between(self, start, end, new):
        """Replaces what is from `start` to `end`, `start` included and `end` not."""
        if self.text.count(start) != 1:
            raise SystemExit(f"{self.name}: not once: {start!r}")
        begin = self.text.index(start)
        self.text = self.text[:begin] + new + self.text[self.text.index(end, begin):]

    def write(self, folder):
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text)


def mend_python(own):
    """A field that is absent stays absent, and one that was set to None is sent as null.

    As generated, `from_dict` takes every absent field for None, so that a PATCH made from a dict clears what it does
    not mention; and None in a field that is not nullable is dropped without a word.
    """
    model = Template(own, "model_generic.mustache")
    model.replace("        _obj = cls.model_validate({\n", "        _values = {\n")
    model.replace(
        "            {{/allVars}}\n        })\n",
        "            {{/allVars}}\n        }\n"
        "        # What is absent is left unset: null is a value of its own.\n"
        "        _obj = cls.model_validate({_key: _value for _key, _value in _values.items() if _key in obj})\n",
    )
    model.replace("            exclude_none=True,\n", "            exclude_unset=True,\n")
    model.replace(
        "        * `None` is only added to the output dict for nullable fields that\n"
        "          were set at model initialization. Other fields with value `None`\n"
        "          are ignored.\n",
        "        * Only the fields that were set are in the output, `None` included.\n",
    )

    # As generated, pydantic copies the headers into a plain dict, in which `ETag` is not `etag`.
    response = Template(own, "api_response.mustache")
    response.replace("from pydantic import Field,", "from pydantic import SkipValidation, Field,")
    response.replace("headers: Optional[Mapping[str, str]] =", "headers: SkipValidation[Optional[Mapping[str, str]]] =")

    # As generated, a time in a query has an offset without a colon, which is no RFC 3339.
    api = Template(own, "api.mustache")
    api.replace(
        """\
                        {{paramName}}.strftime(
                            self.api_client.configuration.datetime_format
                        )
""",
        "                        {{paramName}}.isoformat()\n",
    )
    return [model, response, api]


SUCCESS = """\
    let status = resp.status();
    let headers = resp.headers().clone();
    let content = resp.text().await?;

    if status.is_success() || status == reqwest::StatusCode::NOT_MODIFIED {
        // 204 and 304 have no body.
        let entity = if content.is_empty() { None } else { Some(serde_json::from_str(&content)?) };
        Ok(Response { status, headers, entity })
    } else {
        let entity = {{{operationIdCamelCase}}}Error::decode(status, &content);
        Err(Error::ResponseError(ResponseContent { status, headers, content, entity }))
    }
"""

DECODE = """\
    UnknownValue(serde_json::Value),
}

impl {{{operationIdCamelCase}}}Error {
    /// The variant of this status; `None` if the body is not what the specification says.
    fn decode(status: reqwest::StatusCode, content: &str) -> Option<Self> {
        match status.as_u16() {
            {{#responses}}
            {{#is4xx}}
            {{code}} => serde_json::from_str(content).ok().map(Self::Status{{code}}),
            {{/is4xx}}
            {{#is5xx}}
            {{code}} => serde_json::from_str(content).ok().map(Self::Status{{code}}),
            {{/is5xx}}
            {{/responses}}
            _ => serde_json::from_str(content).ok().map(Self::UnknownValue),
        }
    }
}

{{/operation}}
{{/operations}}

{{#operations}}
{{#operation}}
{{#description}}
"""


def mend_rust(own):
    """Errors are decoded by their status, responses carry their headers (ETag, Retry-After), and 304 is no failure.

    As generated, every error body becomes the first variant, headers are thrown away, and 304 ends in a JSON error.
    """
    api = Template(own, "reqwest/api.mustache")
    api.replace("use serde::{Deserialize, Serialize, de::Error as _};\n", "use serde::{Deserialize, Serialize};\n")
    api.replace(
        "use crate::{apis::ResponseContent, models};\nuse super::{Error, configuration, ContentType};\n",
        "use crate::models;\nuse super::{Error, Response, ResponseContent, configuration};\n",
    )
    api.replace(
        "{{^supportMultipleResponses}}{{^returnType}}(){{/returnType}}{{{returnType}}}{{/supportMultipleResponses}}",
        "{{^supportMultipleResponses}}Response<{{^returnType}}(){{/returnType}}{{{returnType}}}>"
        "{{/supportMultipleResponses}}",
        times=2,
    )
    api.replace_between("    let status = resp.status();\n", "}\n\n{{/operation}}", SUCCESS)
    # As generated, a time in a query is written as people read it and not as RFC 3339.
    api.replace(
        "&param_value.to_string())]);",
        "&param_value{{#isDateTime}}.to_rfc3339(){{/isDateTime}}{{^isDateTime}}.to_string(){{/isDateTime}})]);",
        times=6,
    )
    # The second of the two enumerations is that of the errors.
    errors = api.text.index("/// struct for typed errors of method")
    start = api.text.index("    UnknownValue(serde_json::Value),\n", errors)
    end = api.text.index("{{#description}}\n", start) + len("{{#description}}\n")
    api.text = api.text[:start] + DECODE + api.text[end:]

    module = Template(own, "reqwest/api_mod.mustache")
    module.replace(
        "#[derive(Debug, Clone)]\npub struct ResponseContent<T> {\n    pub status: reqwest::StatusCode,\n",
        "/// A success, or 304 Not Modified.\n"
        "#[derive(Debug, Clone)]\n"
        "pub struct Response<T> {\n"
        "    pub status: reqwest::StatusCode,\n"
        "    pub headers: reqwest::header::HeaderMap,\n"
        "    /// None if the response has no body, as 304 has none.\n"
        "    pub entity: Option<T>,\n"
        "}\n\n"
        "impl<T> Response<T> {\n"
        "    /// The value of a header, if it is there and is text.\n"
        "    pub fn header(&self, name: &str) -> Option<&str> {\n"
        "        self.headers.get(name).and_then(|value| value.to_str().ok())\n"
        "    }\n"
        "}\n\n"
        "/// A failure that the server has answered with.\n"
        "#[derive(Debug, Clone)]\n"
        "pub struct ResponseContent<T> {\n"
        "    pub status: reqwest::StatusCode,\n"
        "    pub headers: reqwest::header::HeaderMap,\n",
    )
    module.replace_between("/// Internal use only\n", "{{#apiInfo}}", "")
    return [api, module]


MENDED = {"python": mend_python, "rust": mend_rust}


def write(generator, language, folder):
    """Writes the mended templates of a language to `folder`; the generator takes all others from itself."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [generator, "author", "template", "-g", language, "-o", scratch]
        if language == "rust":
            command += ["--library", "reqwest"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for template in MENDED[language](pathlib.Path(scratch)):
            template.write(folder)
