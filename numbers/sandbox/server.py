"""`SandboxServer`: the sandbox as its users see it, and the way of every request through it."""

import re
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from . import control, orders, telnyx, twilio
from .calling import Lines
from .faults import DELIVERIES, Fault, FaultBook, ScenarioFault
from .messages import E164, Answer, Request, RequestRecord, parse_body
from .state import NEVER, State
from .wire import Listener

_TWINS = {"twilio": twilio, "pricing": twilio, "telnyx": telnyx}
_PREFIXES = {"/2010-04-01/": "twilio", "/v1/": "pricing", "/v2/": "telnyx"}
_LOG_SIZE = 20_000


class SandboxServer(Lines):
    """Twilio and Telnyx on 127.0.0.1, with memory.

    `time_scale` multiplies every waiting time inside the sandbox: those of scenarios, `delay` of
    faults, hanging, dripping, and `order_seconds`. `latency` is slept, unscaled, before each
    provider answer. With a `state_file` what was bought survives the process.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state_file: Path | None = None,
        latency: float = 0.0,
        time_scale: float = 1.0,
    ) -> None:
        if host != "127.0.0.1":
            raise ValueError("the sandbox sells to anybody who asks: it binds to 127.0.0.1 only")
        if latency < 0 or time_scale < 0:
            raise ValueError("latency and time_scale cannot be negative")
        self.latency = latency
        self.time_scale = time_scale
        self._state = State(
            time_scale=time_scale,
            file=Path(state_file) if state_file is not None else None,
        )
        self._faults = FaultBook(self._state.lock)
        self._log: OrderedDict[int, RequestRecord] = OrderedDict()
        self._log_number = 0
        self._listener = Listener((host, port), self._serve, time_scale)
        self._thread: threading.Thread | None = None
        self.url = f"http://{host}:{self._listener.server_address[1]}"

    def start(self) -> "SandboxServer":
        """Serve in a background thread; does nothing when it serves already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.serve_forever, daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and all connections and wait for the threads. The end: no restart."""
        self._listener.close()
        if self._thread is not None:
            self._thread.join(2.0)

    def serve_forever(self) -> None:
        """Serve in the calling thread until `stop` or an exception such as KeyboardInterrupt."""
        self._listener.run()

    def __enter__(self) -> "SandboxServer":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def order_seconds(self) -> float:
        """How long an ordinary Telnyx order stays pending, before `time_scale`."""
        return self._state.order_seconds

    @order_seconds.setter
    def order_seconds(self, seconds: float) -> None:
        self._state.order_seconds = seconds

    @property
    def search_memory_seconds(self) -> float:
        """How long Telnyx sells a number that a search returned; not scaled."""
        return self._state.search_memory_seconds

    @search_memory_seconds.setter
    def search_memory_seconds(self, seconds: float) -> None:
        self._state.search_memory_seconds = seconds

    @property
    def connections_opened(self) -> int:
        """How many connections were made to the sandbox so far."""
        return self._listener.opened

    def reset(self) -> None:
        """Forget everything: accounts, numbers, orders, log and faults."""
        with self._state.lock:
            self._state.clear()
            self._faults.clear()
            self._log.clear()
        self._state.save()

    def requests(
        self,
        method: str | None = None,
        path_contains: str | None = None,
        provider: str | None = None,
    ) -> list[RequestRecord]:
        """The provider requests so far, oldest first; of very many the last 20,000."""
        with self._state.lock:
            records = list(self._log.values())
        return [
            record
            for record in records
            if (method is None or record.method == method.upper())
            and (path_contains is None or path_contains in record.path)
            and (provider is None or record.provider == provider)
        ]

    def clear_requests(self) -> None:
        """Forget the request log only."""
        with self._state.lock:
            self._log.clear()

    def own(self, *, provider: str, account: str, phone_number: str, **over: Any) -> dict[str, Any]:
        """Put a number into an account as if it had been bought elsewhere.

        `over` are fields of the record (`owned` shows them); `visible=False` keeps the number out
        of the lists. Raises ValueError if somebody has the number.
        """
        if provider not in ("twilio", "telnyx"):
            raise ValueError("provider must be twilio or telnyx")
        if not account or not E164.match(phone_number):
            raise ValueError("own needs an account and a number in E.164")
        visible_from = 0.0 if over.pop("visible", True) else NEVER
        with self._state.lock:
            orders.settle(self._state)
            if self._state.taken(phone_number):
                raise ValueError(f"{phone_number} is taken")
            self._state.account(account)
            record = self._state.add_number(provider, account, phone_number, visible_from, over)
            shown = self._shown(record)
        self._state.save()
        return shown

    def alter(self, phone_number: str, **over: Any) -> None:
        """Change fields of an owned number's record, as if somebody had done it elsewhere;
        `visible` as in `own`. Raises KeyError if nobody has the number."""
        if "visible" in over:
            over["visible_from"] = 0.0 if over.pop("visible") else NEVER
        with self._state.lock:
            self._state.numbers[phone_number].update(over)
            self._state.changed()
        self._state.save()

    def disown(self, phone_number: str) -> None:
        """Take a number out of its account, as if it had been released elsewhere. Raises KeyError
        if nobody has it."""
        with self._state.lock:
            self._state.remove_number(self._state.numbers[phone_number])
        self._state.save()

    def owned(
        self, *, provider: str | None = None, account: str | None = None
    ) -> list[dict[str, Any]]:
        """What is owned now, listed or not (`visible`), oldest first; copies."""
        with self._state.lock:
            orders.settle(self._state)
            shown = [
                self._shown(record)
                for record in self._state.numbers.values()
                if provider in (None, record["provider"]) and account in (None, record["account"])
            ]
        self._state.save()
        return shown

    def orders(self, account: str | None = None) -> list[dict[str, Any]]:
        """Telnyx's number orders as GET one shows them, with their `account`; copies."""
        with self._state.lock:
            orders.settle(self._state)
            shown = [
                {"account": order["account"], **telnyx.to_order(order)}
                for order in self._state.orders.values()
                if account in (None, order["account"])
            ]
            shown = self._state.snapshot(shown)
        self._state.save()
        return shown

    def calls(self, call_control_id: str | None = None) -> list[dict[str, Any]]:
        """The call commands that took effect (a repeated command_id does not), oldest first."""
        with self._state.lock:
            return self._state.snapshot(
                [
                    call
                    for call in self._state.calls
                    if call_control_id in (None, call["call_control_id"])
                ]
            )

    def set_account(self, account: str, **values: Any) -> None:
        """Change an account: balance, currency, active, friendly_name, and added connections and
        messaging_profiles (ids, or dicts with an `id`). Twilio's also: type ("Trial" has one
        number at most), status (of one that is not active: "closed"), owner_account_sid (another
        account's: a subaccount). Telnyx's also: credit_limit, restricted (may not search or
        order)."""
        with self._state.lock:
            self._state.set_account(account, values)
        self._state.save()

    def add_fault(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = 1,
        status: int | None = None,
        code: int | None = None,
        body: dict[str, Any] | str | None = None,
        headers: dict[str, str] | None = None,
        action: str | None = None,
        delay: float = 0.0,
        apply: bool = False,
    ) -> None:
        """Answer the next `times` matching requests so instead of normally (None: always).

        `path` is a regular expression, searched in the path. With only a `delay` (or `headers`)
        the request is late (or has them) but normal. `apply` carries it out first and then
        misbehaves. Actions: drop, hang, drip, truncate, redirect, garbage, misname.
        """
        fault = Fault(
            status=status,
            code=code,
            body=body,
            headers=headers or {},
            action=action,
            delay=delay,
            apply=apply,
        )
        try:
            self._faults.add(fault, method=method, path=path, times=times)
        except re.error as problem:
            raise ValueError(f"path is not a regular expression: {problem}") from problem

    def clear_faults(self) -> None:
        """Forget the faults that are left."""
        self._faults.clear()

    def _serve(
        self,
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        body: bytes,
    ) -> tuple[Answer, str | None]:
        """Answer one HTTP request: what to send, and how if not properly."""
        if path.startswith(control.PREFIX):
            return control.handle(self, method, path, query, body), None
        provider = next((p for prefix, p in _PREFIXES.items() if path.startswith(prefix)), "other")
        twin = _TWINS.get(provider)
        request = Request(
            provider=provider,
            account=twin.account_of(path, headers) if twin else "",
            method=method,
            path=path,
            query=query,
            body=parse_body(body, headers.get("content-type", "")),
            headers=headers,
        )
        number = self._note(request)
        answer, how = self._answer(request)
        with self._state.lock:
            if how not in ("drop", "hang") and number in self._log:
                self._log[number] = replace(self._log[number], status=answer.status)
        return answer, how

    def _answer(self, request: Request) -> tuple[Answer, str | None]:
        self._listener.pause(self.latency)
        fault = self._faults.take(request)
        if fault is None:
            return self._normally(request)
        if not fault.misbehaves:
            self._wait(fault)
            return self._normally(request, fault)
        return self._misbehave(request, fault, injected=True)

    def _normally(self, request: Request, extra: Fault | None = None) -> tuple[Answer, str | None]:
        """As the provider would, scenarios included; `extra` may add headers."""
        try:
            answer = self._run(request)
        except ScenarioFault as scenario:
            request.scenarios = False
            return self._misbehave(request, scenario.fault, injected=False)
        if extra is not None:
            answer = extra.spoil(request, answer, self._error(request))
        return answer, None

    def _misbehave(
        self, request: Request, fault: Fault, *, injected: bool
    ) -> tuple[Answer, str | None]:
        answer = None
        if not fault.misbehaves:
            self._wait(fault)
            return self._run(request), None
        if fault.carries_out:
            answer = self._carry_out(request)
            # A scenario spoils a purchase; when there was none, the refusal is the answer.
            if not injected and answer.status >= 400:
                return answer, None
        self._wait(fault)
        how = fault.action if fault.action in DELIVERIES else None
        return fault.spoil(request, answer, self._error(request)), how

    def _carry_out(self, request: Request) -> Answer:
        """Do what the request asks; of its number's scenario only a refusal counts."""
        try:
            return self._run(request)
        except ScenarioFault as scenario:
            if not scenario.fault.carries_out:
                return scenario.fault.spoil(request, None, self._error(request))
            request.scenarios = False
            return self._run(request)

    def _run(self, request: Request) -> Answer:
        twin = _TWINS.get(request.provider)
        if twin is None:
            return Answer(404, {"error": f"the sandbox has nothing at {request.path}"})
        try:
            with self._state.lock:
                orders.settle(self._state)
                return twin.handle(self._state, request)
        finally:
            self._state.save()

    def _error(self, request: Request) -> Any:
        return _TWINS.get(request.provider, twilio).error

    def _wait(self, fault: Fault) -> None:
        self._listener.pause(fault.delay * self.time_scale)

    def _note(self, request: Request) -> int:
        """Log a request when it arrives, so that even one that hangs can be seen."""
        headers = dict(request.headers)
        if "authorization" in headers:
            headers["authorization"] = "***"
        with self._state.lock:
            self._log_number += 1
            self._log[self._log_number] = RequestRecord(
                number=self._log_number,
                at=time.monotonic(),
                wall=time.time(),
                provider=request.provider,
                account=request.account,
                method=request.method,
                path=request.path,
                query=request.query,
                body=request.body,
                headers=headers,
            )
            if len(self._log) > _LOG_SIZE:
                self._log.popitem(last=False)
            return self._log_number

    def _shown(self, record: dict[str, Any]) -> dict[str, Any]:
        shown = self._state.snapshot([record])[0]
        if record["provider"] == "twilio":
            shown["sid"] = record["id"]
        return {**shown, "visible": record["visible_from"] <= time.time()}
