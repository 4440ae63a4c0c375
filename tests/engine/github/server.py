"""GitHub on loopback: it keeps comments, check runs, statuses, pull requests and issues, and fails to order.

What it is sent and what it answers must fit GitHub's own schema, as models of the client's; what does not is a
``violation``. It knows of GitHub what its documentation says: who may write what, pages and their links, limits of
length, that nothing but a look may carry a condition.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from githubkit_schemas.latest import models
from pydantic import BaseModel, TypeAdapter, ValidationError

Data = dict[str, Any]
TOKEN = "ghs_" + "t0K3nOfTheTests" * 3
OWNER, NAME = "octo", "calc"
EPOCH = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Fault:
    """What happens to a request: a refusal before it is obeyed, or trouble after."""

    method: str
    path: str  # a pattern, of the whole path
    status: int = 0
    message: str = ""
    headers: Data = field(default_factory=dict)
    times: int = 1
    lost: bool = False  # obeyed, and the answer never arrives
    silent: bool = False  # neither obeyed nor answered, until the client gives up
    broken: bool = False  # obeyed, and answered with something else than JSON
    before: Callable[[], None] | None = None  # what others do first
    after: int = 0  # matching requests that are let through before


def refuse(method: str, path: str, status: int, message: str = "no", **more: Any) -> Fault:
    return Fault(method, path, status, message, **more)


NO_APP = "Resource not accessible by integration"


def sample(model: type[BaseModel], **given: Any) -> Data:
    """The least that fits a model, with some of it given."""
    data: Data = {}
    for name, info in model.model_fields.items():
        wire = info.alias or name
        if wire in given:
            data[wire] = given.pop(wire)
        elif info.is_required():
            data[wire] = _least(info.annotation)
    return data | given


def _least(kind: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return args[0]
    if origin is typing.Annotated:
        return _least(args[0])
    if args and (origin is typing.Union or type(None) in args):
        return None if type(None) in args else _least(args[0])
    if origin is list:
        return []
    if origin is dict:
        return {}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return sample(kind)
    if kind is datetime:
        return EPOCH.isoformat()
    return {str: "https://github.com/x", int: 1, bool: False, float: 1.0}.get(kind, {})


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class Server:
    """One repository and one token on it.

    Parameters
    ----------
    user
        Whose token it is: a login, or with ``bot`` the app that may not ask who it is.
    """

    def __init__(self, user: str = "github-actions[bot]", *, bot: bool = True) -> None:
        self.user, self.bot = user, bot
        self.comments: list[Data] = []
        self.checks: list[Data] = []
        self.statuses: list[Data] = []
        self.pulls: list[Data] = []
        self.issues: list[Data] = []
        self.faults: list[Fault] = []
        self.commits: set[str] | None = None  # known ones; None: every
        self.seen: list[tuple[str, str]] = []
        self.versions: set[str] = set()  # of the API, that were asked for
        self.violations: list[str] = []
        self.released = threading.Event()  # of silent requests
        self._next = 100
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"github": self}))
        self._http.daemon_threads = True

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def count(self, method: str, path: str) -> int:
        return sum(m == method and re.fullmatch(path, p) is not None for m, p in self.seen)

    # -- what others do -----------------------------------------------------------------------------------------------

    def person(self, login: str, *, bot: bool = False) -> Data:
        return sample(models.SimpleUser, login=login, type="Bot" if bot else "User")

    def comment(self, body: str, login: str = "", *, bot: bool | None = None) -> Data:
        """Somebody's comment; ours if nobody is named."""
        user = self.person(login or self.user, bot=self.bot if bot is None and not login else bool(bot))
        made = sample(models.IssueComment, id=self._id(), body=body, user=user, **self._now())
        made["html_url"] = f"https://github.com/{OWNER}/{NAME}/pull/7#issuecomment-{made['id']}"
        self.comments.append(made)
        return made

    def edit(self, entry: Data, change: Callable[[str], str]) -> None:
        entry["body"] = change(entry["body"])
        entry["updated_at"] = self._now()["updated_at"]

    def pull(self, number: int, branch: str) -> None:
        made = sample(models.PullRequestSimple, number=number, state="open")
        made["head"] |= {"ref": branch, "label": f"{OWNER}:{branch}"}
        self.pulls.append(made)

    def check(self, sha: str, name: str, app: int = 1, **more: Any) -> Data:
        made = sample(models.CheckRun, id=self._id(), head_sha=sha, name=name, status="completed", **more)
        made.setdefault("conclusion", "success")
        made["app"] = sample(models.Integration, id=app)
        made["html_url"] = f"https://github.com/{OWNER}/{NAME}/runs/{made['id']}"
        self.checks.append(made)
        return made

    def _id(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def _now(self) -> Data:
        at = (EPOCH + timedelta(seconds=self._id())).isoformat()
        return {"created_at": at, "updated_at": at}

    # -- the API ------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        """Status, body, and the model the body must fit."""
        if path == "/user":
            if self.bot:
                return 403, {"message": NO_APP}, None
            return 200, sample(models.PublicUser, login=self.user), models.PublicUser
        prefix = f"/repos/{OWNER}/{NAME}"
        if not path.startswith(prefix + "/"):
            return 404, {"message": "Not Found"}, None
        for verb, pattern, handle in self._routes():
            found = re.fullmatch(pattern, path.removeprefix(prefix))
            if found and verb == method:
                return handle(*found.groups(), query=query, body=body)
        self.violations.append(f"{method} {path}: no such route")
        return 404, {"message": "Not Found"}, None

    def _routes(self) -> Iterator[tuple[str, str, Callable[..., tuple[int, Any, Any]]]]:
        yield "GET", r"/issues/(\d+)/comments", self._list_comments
        yield "POST", r"/issues/(\d+)/comments", self._make_comment
        yield "GET", r"/issues/comments/(\d+)", self._get_comment
        yield "PATCH", r"/issues/comments/(\d+)", self._edit_comment
        yield "DELETE", r"/issues/comments/(\d+)", self._delete_comment
        yield "GET", r"/commits/(\w+)/check-runs", self._list_checks
        yield "POST", r"/check-runs", self._make_check
        yield "PATCH", r"/check-runs/(\d+)", self._edit_check
        yield "GET", r"/commits/(\w+)/statuses", self._list_statuses
        yield "POST", r"/statuses/(\w+)", self._make_status
        yield "GET", r"/pulls", self._list_pulls
        yield "GET", r"/issues", self._list_issues
        yield "POST", r"/issues", self._make_issue

    def _list_comments(self, number: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        return 200, list(self.comments), list[models.IssueComment]

    def _make_comment(self, number: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        if (bad := self._fits(models.ReposOwnerRepoIssuesIssueNumberCommentsPostBody, body)) is not None:
            return bad
        if len(body["body"]) > 65536:
            return 422, {"message": "Validation Failed", "errors": [{"message": "body is too long"}]}, None
        return 201, self.comment(body["body"]), models.IssueComment

    def _find(self, rows: list[Data], number: str) -> Data | None:
        return next((r for r in rows if r["id"] == int(number)), None)

    def _get_comment(self, number: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        there = self._find(self.comments, number)
        return (200, there, models.IssueComment) if there else (404, {"message": "Not Found"}, None)

    def _edit_comment(self, number: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        there = self._find(self.comments, number)
        if there is None:
            return 404, {"message": "Not Found"}, None
        if (bad := self._fits(models.ReposOwnerRepoIssuesCommentsCommentIdPatchBody, body)) is not None:
            return bad
        if len(body["body"]) > 65536:
            return 422, {"message": "Validation Failed", "errors": [{"message": "body is too long"}]}, None
        self.edit(there, lambda _: body["body"])
        return 200, there, models.IssueComment

    def _delete_comment(self, number: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        there = self._find(self.comments, number)
        if there is None:
            return 404, {"message": "Not Found"}, None
        self.comments.remove(there)
        return 204, None, None

    def _known(self, sha: str) -> bool:
        return self.commits is None or sha in self.commits

    def _list_checks(self, sha: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        if not self._known(sha):
            return 422, {"message": f"No commit found for SHA: {sha}"}, None
        rows = [c for c in self.checks if c["head_sha"] == sha and c["name"] == query.get("check_name", c["name"])]
        if query.get("filter", "latest") == "latest":
            rows = list({(c["name"], c["app"]["id"]): c for c in rows}.values())
        return (
            200,
            {"total_count": len(rows), "check_runs": rows},
            models.ReposOwnerRepoCommitsRefCheckRunsGetResponse200,
        )

    def _make_check(self, query: Data, body: Any) -> tuple[int, Any, Any]:
        if (bad := self._fits(models.ReposOwnerRepoCheckRunsPostBodyOneof0, body)) is not None:
            return bad
        if not self._known(body["head_sha"]):
            return 422, {"message": f"No commit found for SHA: {body['head_sha']}"}, None
        if len(body["output"]["summary"]) > 65535:
            return 422, {"message": "Invalid request. summary is too long"}, None
        made = self.check(body["head_sha"], body["name"])
        made |= self._of_check(body)
        return 201, made, models.CheckRun

    def _edit_check(self, number: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        if (bad := self._fits(models.ReposOwnerRepoCheckRunsCheckRunIdPatchBodyAnyof0, body)) is not None:
            return bad
        there = self._find(self.checks, number)
        if there is None:
            return 404, {"message": "Not Found"}, None
        there |= self._of_check(body)
        return 200, there, models.CheckRun

    def _of_check(self, body: Data) -> Data:
        output = sample(models.CheckRunPropOutput, **body["output"])
        return {k: body[k] for k in ("conclusion", "external_id", "details_url", "status") if k in body} | {
            "output": output
        }

    def _list_statuses(self, sha: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        return 200, [s for s in reversed(self.statuses) if s["url"].endswith(sha)], list[models.Status]

    def _make_status(self, sha: str, query: Data, body: Any) -> tuple[int, Any, Any]:
        if (bad := self._fits(models.ReposOwnerRepoStatusesShaPostBody, body)) is not None:
            return bad
        if not self._known(sha):
            return 422, {"message": f"No commit found for SHA: {sha}"}, None
        if len(body.get("description") or "") > 140:
            return 422, {"message": "Validation Failed: description is too long (maximum is 140 characters)"}, None
        made = sample(models.Status, id=self._id(), url=f"https://api.github.com/statuses/{sha}", **body)
        self.statuses.append(made)
        return 201, made, models.Status

    def _list_pulls(self, query: Data, body: Any) -> tuple[int, Any, Any]:
        rows = [p for p in self.pulls if query.get("head") in (None, p["head"]["label"])]
        return 200, rows, list[models.PullRequestSimple]

    def _list_issues(self, query: Data, body: Any) -> tuple[int, Any, Any]:
        rows = [i for i in self.issues if i["state"] == query.get("state", "open")]
        rows = [i for i in rows if query.get("creator", i["user"]["login"]) == i["user"]["login"]]
        return 200, rows, list[models.Issue]

    def _make_issue(self, query: Data, body: Any) -> tuple[int, Any, Any]:
        if (bad := self._fits(models.ReposOwnerRepoIssuesPostBody, body)) is not None:
            return bad
        return 201, self.issue(body["title"], body["body"]), models.Issue

    def issue(self, title: str, body: str, login: str = "") -> Data:
        user = self.person(login or self.user, bot=self.bot and not login)
        number = self._id()
        made = sample(models.Issue, id=number, number=number, title=title, body=body, user=user, state="open")
        made["html_url"] = f"https://github.com/{OWNER}/{NAME}/issues/{number}"
        self.issues.append(made)
        return made

    def _fits(self, model: Any, body: Any) -> tuple[int, Any, Any] | None:
        try:
            _adapter(model).validate_python(body)
        except ValidationError as error:
            self.violations.append(f"a body does not fit {model.__name__}: {error}")
            return 422, {"message": "Validation Failed"}, None
        extra = set(body) - {info.alias or name for name, info in model.model_fields.items()}
        if extra:
            self.violations.append(f"{model.__name__} has no {sorted(extra)}")
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    github: Server

    def log_message(self, *_: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the client has gone
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        github = self.github
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        with github._lock:
            github.seen.append((method, parts.path))
            self._look_at_headers(method)
            fault = self._fault(method, parts.path)
        if fault is not None:
            if fault.before is not None:
                with github._lock:
                    fault.before()
            if fault.silent:
                github.released.wait(30)
                self.close_connection = True
                return
            if fault.status:
                self._send(fault.status, {"message": fault.message, "documentation_url": "https://docs"}, fault.headers)
                return
        if self.headers.get("authorization") not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
            self._send(401, {"message": "Bad credentials"})
            return
        with github._lock:
            status, body, kind = github.answer(method, parts.path, query, json.loads(raw) if raw else None)
            headers: Data = {}
            body = self._page(body, parts.path, query, headers)
            if kind is not None:
                try:
                    _adapter(kind).validate_python(body)
                except ValidationError as error:
                    github.violations.append(f"{method} {parts.path} answers out of schema: {error}")
            text = json.dumps(body).encode() if body is not None else b""
        if fault is not None and fault.lost:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self._send(status, b"<html>" if fault is not None and fault.broken else text, headers)

    def _look_at_headers(self, method: str) -> None:
        github = self.github
        if method != "GET" and any(self.headers.get(h) for h in ("if-match", "if-unmodified-since", "if-none-match")):
            github.violations.append("a condition on a write: GitHub answers 400")
        github.versions.add(self.headers.get("x-github-api-version", ""))
        if not self.headers.get("user-agent"):
            github.violations.append("no user-agent: GitHub answers 403")
        if "application/vnd.github" not in self.headers.get("accept", ""):
            github.violations.append("accept does not name GitHub's JSON")

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.github.faults:
            if fault.times and fault.method == method and re.fullmatch(f".*{fault.path}", path):
                if fault.after:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    def _page(self, body: Any, path: str, query: Data, headers: Data) -> Any:
        """A page of a list, with the link to the next one."""
        rows = body["check_runs"] if isinstance(body, dict) and "check_runs" in body else body
        if not isinstance(rows, list):
            return body
        size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        if len(rows) > page * size:
            headers["link"] = f'<{self.github.url}{path}?page={page + 1}>; rel="next"'
        cut = rows[(page - 1) * size : page * size]
        return body | {"check_runs": cut} if isinstance(body, dict) else cut

    def _send(self, status: int, body: Any, headers: Data | None = None) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        if status != 204:
            self.wfile.write(text)
