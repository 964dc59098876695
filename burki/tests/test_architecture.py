"""Who may know whom, and who may spend. Each rule fails the build when it is broken."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

ROOT = Path(settings.BASE_DIR)
APPS = ("burki", "organizations", "assistants", "numbers")
SPENDERS = ("buy", "_order", "_attempt", "purchase_number", "purchase", "buy_number",
            "buy_numbers")  # fmt: skip
STANDARD = sys.stdlib_module_names - {"numbers"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [
        path
        for path in found
        if not {"tests", "migrations", "bench"} & set(path.relative_to(ROOT).parts)
        and path.name not in ("testing.py",)
    ]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def offenders(folders: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(*folders)
        for name in sorted(imports(path))
        if any(name == word or name.startswith(f"{word}.") for word in forbidden)
    ]


@pytest.mark.parametrize(
    ("folders", "forbidden"),
    [
        (("organizations",), ("assistants", "numbers")),
        (("assistants",), ("numbers",)),
        (
            ("numbers/services", "numbers/reconcile.py", "numbers/inventory.py"),
            ("numbers.api", "numbers.ui", "numbers.admin", "numbers.tasks", "numbers.webhooks"),
        ),
        (
            ("numbers/api", "numbers/ui", "numbers/webhooks", "numbers/management"),
            ("numbers.providers",),
        ),
        (
            ("numbers/providers",),
            ("numbers.models", "numbers.services", "numbers.reconcile", "numbers.inventory",
             "organizations", "assistants", "django.db.models"),
        ),
        (
            ("numbers/models",),
            ("numbers.services", "numbers.providers", "numbers.api", "numbers.reconcile",
             "numbers.inventory"),
        ),
        (("numbers/sandbox",), ("burki", "organizations", "assistants", "numbers", "django")),
    ],
)  # fmt: skip
def test_imports_go_in_one_direction(folders, forbidden):
    assert offenders(folders, forbidden) == []


def test_admin_and_tasks_do_not_know_the_providers():
    admins = [path.name for path in (ROOT / "numbers").glob("admin*.py")]
    names = (*admins, "tasks.py", "jobs.py")
    files = [ROOT / "numbers" / name for name in names]

    assert [
        (path.name, name)
        for path in files
        for name in imports(path)
        if name.startswith("numbers.providers")
    ] == []


def test_nobody_imports_numbers_but_the_url_table_and_itself():
    """burki's settings only name it."""
    assert offenders(("burki",), ("numbers",)) == [
        "burki/__init__.py imports numbers",  # lends it our directory
        "burki/urls.py imports numbers.api.urls",
        "burki/urls.py imports numbers.api.urls.neighbours",
        "burki/urls.py imports numbers.api.urls.urlpatterns",
        "burki/urls.py imports numbers.ui.urls",
        "burki/urls.py imports numbers.ui.urls.urlpatterns",
        "burki/urls.py imports numbers.webhooks.urls",
        "burki/urls.py imports numbers.webhooks.urls.urlpatterns",
    ]


def test_a_session_begins_in_one_place_alone():
    """Where every factor has been asked for; nothing behind the sign-in asks again."""
    ways = ("django.contrib.auth.login", "django.contrib.auth.views.LoginView")
    assert offenders(APPS, ways) == [f"organizations/views.py imports {way}" for way in ways]


def test_the_sandbox_needs_the_standard_library_alone():
    foreign = {
        name.partition(".")[0]
        for path in sources("numbers/sandbox")
        for name in imports(path)
        if name.partition(".")[0] not in STANDARD
    }

    assert foreign == set()


def callers_of(method: str) -> list[str]:
    """Where `<something>.method(` is called, as "file:function"."""
    found = []
    for path in sources(*APPS):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == method
                ):
                    found.append(f"{path.relative_to(ROOT)}:{function.name}")
    return found


def test_only_the_purchase_service_buys():
    """The demo data's own `self.buy` calls the service; `_order` is the one call of a driver."""
    assert callers_of("buy") == [
        "numbers/management/commands/seed_demo.py:make_tenant",
        "numbers/services/purchase.py:_order",
    ]


def test_only_purchase_number_reaches_the_order():
    tree = ast.parse((ROOT / "numbers/services/purchase.py").read_text())
    calls = {
        function.name: {
            node.func.id
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
    }

    assert [name for name, called in calls.items() if "_order" in called] == ["_call_and_record"]
    assert [name for name, called in calls.items() if "_call_and_record" in called] == ["_attempt"]
    assert [name for name, called in calls.items() if "_attempt" in called] == ["purchase_number"]


def test_each_door_has_one_function_that_asks_for_a_purchase():
    """A new one is a new way to spend: add it here knowingly."""
    callers = {
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in sources(*APPS)
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "purchase_number"
    }

    assert callers == {
        "numbers/admin_purchase.py:buy_numbers",
        "numbers/api/views.py:purchase",
        "numbers/management/commands/seed_demo.py:buy",
        "numbers/services/bulk_work.py:_buy",
        "numbers/ui/buying.py:buy_number",
    }


def test_settling_and_background_work_have_no_way_to_buy():
    assert (
        offenders(
            (
                "numbers/reconcile.py",
                "numbers/inventory.py",
                "numbers/tasks.py",
                "numbers/jobs.py",
                "numbers/services/inventory_actions.py",
                "numbers/services/findings.py",
                "numbers/services/evidence.py",
                "numbers/services/proof.py",
                "numbers/services/repairing.py",
            ),
            ("numbers.services.purchase",),
        )
        == []
    )


def test_only_the_layers_above_the_services_compare_inventories():
    """Services are called by a comparison; none of them starts one."""
    assert offenders(("numbers/services", "numbers/reconcile.py"), ("numbers.inventory",)) == []


def test_a_comparison_has_no_way_to_change_anything_at_a_provider():
    changing = {"buy", "release", "configure", "make_routing", "check_routing", "cancel_order",
                "set_webhooks", "put_back"}  # fmt: skip
    looking = ("inventory.py", "services/evidence.py", "services/findings.py", "services/proof.py",
               "management/commands/reconcile_numbers.py")  # fmt: skip

    assert [
        (name, node.attr)
        for name in looking
        for node in ast.walk(ast.parse((ROOT / "numbers" / name).read_text()))
        if isinstance(node, ast.Attribute) and node.attr in changing
    ] == []


def test_every_function_that_can_spend_says_so():
    for path in sources("numbers"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef) or "sandbox" in path.parts:
                continue
            if node.name in SPENDERS:
                if path.name == "seed_demo.py":
                    continue
                doc = ast.get_docstring(node) or ""
                assert doc.startswith("SPENDS MONEY."), f"{path.name}:{node.name}"


def test_no_broad_except_but_where_it_is_permitted():
    """Around call and record, where one row must not stop a sweep over others, and where whatever
    stops an event from being processed is told in the inbox."""
    found = []
    for path in sources("numbers", "organizations", "assistants"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            ):
                found.append(str(path.relative_to(ROOT)))

    assert [f for f in found if "sandbox" not in f] == [
        "numbers/management/commands/reconcile_numbers.py",
        "numbers/services/purchase.py",
        "numbers/services/release.py",
        "numbers/services/routing.py",
        "numbers/tasks.py",
        "numbers/tasks.py",
    ]


def test_the_standard_library_still_finds_its_numbers():
    code = "import decimal, fractions, statistics; print(decimal.Decimal(1) + 1)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "2"
    assert not (ROOT / "numbers" / "__init__.py").exists()


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
