"""The demo loads once, by the ordinary path, and everybody can sign in."""

import threading
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from catalog.models import Entity, Source
from portal.accounts.access import Access
from portal.accounts.models import Membership, Organisation, Team, User
from portal.accounts.tenancy import asking_as, tenant
from portal.demo_people import SIGN_INS
from portal.desk.management.commands import load_demo


@pytest.fixture
def demo(db, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    said = StringIO()
    call_command("load_demo", stdout=said)
    return said.getvalue()


def test_it_makes_two_organisations_of_different_size(demo):
    assert "Parcelwright: 4 people, 172 entities." in demo
    assert "Kelpline: 2 people, 20 entities." in demo
    for address, _ in SIGN_INS.people:
        assert User.objects.get(email=address).check_password(SIGN_INS.password)
    mae = User.objects.get(email="mae@slipway.example")
    with asking_as(mae.pk):
        places = Membership.objects.filter(user=mae).values_list("organisation__slug", flat=True)
        assert set(places) == {"parcelwright", "kelpline"}


def test_each_person_has_rights_over_what_their_team_owns(demo):
    large = Organisation.objects.get(slug="parcelwright")
    dev = User.objects.get(email="dev@slipway.example")
    with tenant(large):
        access = Access(large, dev, Membership.objects.for_tenant(large).get(user=dev))
        assert access.can("catalog.edit", "group:default/payments")
        assert not access.can("catalog.edit", "group:default/booking")
        assert Team.objects.for_tenant(large).count() == 16
        assert Source.objects.for_tenant(large).filter(kind="folder").get().problem_count == 2


def test_a_second_time_changes_nothing(demo):
    large = Organisation.objects.get(slug="parcelwright")
    with tenant(large):
        before = list(Entity.objects.for_tenant(large).order_by("pk").values_list("uid", "updated_at"))
    again = StringIO()
    call_command("load_demo", stdout=again)
    assert again.getvalue() == ""
    assert Organisation.objects.count() == 2
    with tenant(large):
        assert list(Entity.objects.for_tenant(large).order_by("pk").values_list("uid", "updated_at")) == before


def test_a_cluster_that_cannot_be_used_is_said_and_the_rest_stays(db, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    trouble = StringIO()
    call_command("load_demo", stdout=StringIO(), stderr=trouble)
    assert "cannot be read" in trouble.getvalue()
    assert Organisation.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_right_password_is_not_refused_while_the_demo_is_still_loading(monkeypatch, client):
    """Everybody whose sign-in is printed gets in, and into their organisation, before the first catalog is read."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    came_to: dict[str, str] = {}

    def sign_in_everybody() -> None:
        try:
            for address, _ in SIGN_INS.people:
                browser = Client()
                browser.post("/accounts/login/", {"login": address, "password": SIGN_INS.password})
                came_to[address] = browser.get("/").headers["Location"]
        finally:
            connection.close()

    def read_slowly(**wanted):
        monkeypatch.setattr(load_demo, "add_source", real)
        beside = threading.Thread(target=sign_in_everybody)
        beside.start()
        beside.join(60)
        return real(**wanted)

    real = load_demo.add_source
    monkeypatch.setattr(load_demo, "add_source", read_slowly)
    call_command("load_demo", stdout=StringIO())
    assert set(came_to) == {address for address, _ in SIGN_INS.people}
    assert all(where.startswith("/o/") for where in came_to.values()), came_to


def test_an_interrupted_start_is_made_up_for(db, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    real = load_demo.publish_shipped
    monkeypatch.setattr(load_demo, "publish_shipped", lambda **wanted: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        call_command("load_demo", stdout=StringIO())
    monkeypatch.setattr(load_demo, "publish_shipped", real)
    said = StringIO()
    call_command("load_demo", stdout=said)
    assert "172 entities" in said.getvalue()
    assert "20 entities" in said.getvalue()
