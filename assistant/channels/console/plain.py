"""Pages without scripts: signing in, and saying what went wrong."""

from html import escape
from typing import Final

from starlette.responses import HTMLResponse

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{head}<title>{title} · KITTY</title>
<link rel="icon" href="/console/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console/plain.css">
</head>
<body><main>
<p class="brand">KITTY</p>
<h1>{title}</h1>
{body}
</main></body>
</html>
"""


def page(title: str, body: str, *, status: int = 200, go_to: str = "") -> HTMLResponse:
    """Return a page; `body` is HTML of ours, `go_to` a path that is opened at once."""
    head = f'<meta http-equiv="refresh" content="0;url={escape(go_to)}">\n' if go_to else ""
    return HTMLResponse(
        _PAGE.format(head=head, title=escape(title), body=body),
        status_code=status,
        headers={
            "content-security-policy": _POLICY,
            "cache-control": "no-store",
            "referrer-policy": "same-origin",
        },
    )


def message(title: str, words: str, *, status: int) -> HTMLResponse:
    """Return a page that says what is wrong and leads back to the console."""
    body = f'<p>{escape(words)}</p>\n<p><a class="button" href="/">Open the console</a></p>'
    return page(title, body, status=status)


def sign_in(problem: str = "", next_path: str = "/", *, status: int = 200) -> HTMLResponse:
    """Return the sign-in page; what was typed is never written into it."""
    alert = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    body = f"""{alert}
<form method="post" action="/sign-in">
<input type="hidden" name="next" value="{escape(next_path)}">
<label for="token">Your personal token</label>
<input id="token" name="token" type="password" autocomplete="off" required maxlength="200" autofocus
 aria-describedby="help">
<button type="submit">Sign in</button>
</form>
<p id="help">No token? An admin can make you one with <code>kitt users token PERSON</code>.</p>"""
    return page("Sign in", body, status=status)


def onward(path: str) -> HTMLResponse:
    """Return a page that opens a path from this very site, so that the strict cookie is sent."""
    body = f'<p><a class="button" href="{escape(path)}">Go on</a></p>'
    return page("One moment", body, go_to=path)
