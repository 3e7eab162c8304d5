"""The API's description as one plain page: no scripts, nothing fetched from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

CONTENT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>KITTY: the API</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
h3 {{ margin: 1.5rem 0 0 }} code, pre {{ font: 14px/1.5 ui-monospace, monospace }}
pre {{ overflow: auto; border-left: 3px solid; padding-left: 1rem }}
</style>
</head>
<body>
<h1>{title} {version}</h1>
<p>{description}</p>
<p>Send <code>Authorization: Bearer TOKEN</code>.
For programs: <a href="/openapi.json">OpenAPI</a>.</p>
{routes}
<h2>Shapes</h2>
{shapes}
</body>
</html>
"""


def reference_page(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as HTML."""
    return _PAGE.format(
        title=escape(document["info"]["title"]),
        version=escape(document["info"]["version"]),
        description=escape(document["info"]["description"]),
        routes="\n".join(_families(document["paths"])),
        shapes="\n".join(
            f'<h3 id="{escape(name)}">{escape(name)}</h3>{_shape(shape)}'
            for name, shape in sorted(document["components"]["schemas"].items())
        ),
    )


def _families(paths: Mapping[str, Any]) -> Iterator[str]:
    families: dict[str, list[str]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            family = (operation.get("tags") or ["other"])[0]
            families.setdefault(family, []).append(_route(method, path, operation))
    for family, routes in families.items():
        yield f"<h2>{escape(family.capitalize())}</h2>"
        yield from routes


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    pieces = [f"<h3><code>{method.upper()} {escape(path)}</code></h3>"]
    pieces.append(f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>")
    parameters = operation.get("parameters", ())
    if parameters:
        pieces.append(f"<ul>{''.join(map(_parameter, parameters))}</ul>")
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    pieces.extend(_shape(content["schema"]) for content in bodies)
    return "".join(pieces)


def _parameter(parameter: Mapping[str, Any]) -> str:
    need = "" if parameter.get("required") else " (optional)"
    return f"<li><code>{escape(parameter['name'])}</code> in {escape(parameter['in'])}{need}</li>"


def _shape(schema: Mapping[str, Any]) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        return f'<p>Body: <a href="#{escape(name)}">{escape(name)}</a></p>'
    return f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
