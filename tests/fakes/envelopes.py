"""What an error has to look like."""

import httpx

FIELDS = {"code", "message", "retryable", "correlation_id"}


def envelope(answer: httpx.Response, status: int, code: str) -> dict:
    """Check that an answer is this error in the one envelope; return it."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    body = answer.json()
    assert body["code"] == code, body
    check(answer)
    return body


def check(answer: httpx.Response) -> None:
    """Check that an answer is an error in the envelope, with nothing of our inside in it."""
    body = answer.json()
    assert body.keys() >= FIELDS, body
    assert 0 < len(body["message"]) <= 600, body
    assert isinstance(body["retryable"], bool)
    assert body["correlation_id"] == answer.headers["x-correlation-id"]
    for sign in ("Traceback", 'File "', "psycopg", "site-packages"):
        assert sign not in answer.text
