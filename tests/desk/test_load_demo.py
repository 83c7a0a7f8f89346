"""The demo loads once, by the ordinary path, and everybody can sign in."""

from io import StringIO

import pytest
from django.core.management import call_command

from catalog.models import Entity, Source
from portal.accounts.access import Access
from portal.accounts.models import Membership, Organisation, Team, User
from portal.accounts.tenancy import asking_as, tenant
from portal.demo_people import SIGN_INS


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
