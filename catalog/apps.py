"""The app's registration with Django."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    label = "catalog"

    def ready(self) -> None:
        from django.conf import settings
        from django.db.models.signals import post_migrate

        from catalog import (
            actions,
            alarms,
            bindings,
            cards,
            checking,
            following,
            inbox,
            jobs,
            mending,
            naming,
            refreshing,
            searching,
            settling,
            teams,
            telling,
            topics,
        )  # fmt: skip
        from catalog.index import writing
        from catalog.intake import ingest
        from catalog.owners.telling import AFTER_STATING
        from portal.accounts.actions import AFTER_LEAVING
        from portal.accounts.teams import AFTER_CHANGE, AFTER_DELETE, BEFORE_DELETE, LOCK_FIRST
        from portal.clusters import logrights, status
        from portal.githosts.pushes import AFTER_PUSH
        from portal.kit.announcing import TopicKind, register_topic
        from portal.kit.duties import Duty, register_duty
        from portal.kit.navigation import NavEntry, register_entry
        from portal.kit.references import register_guide

        ingest.AFTER_INGEST["teams"] = teams.after_ingest
        logrights.owners_from(bindings.owners_of)
        status.entities_from(bindings.is_known)
        ingest.AFTER_REMOVAL["teams"] = teams.after_removal
        LOCK_FIRST["catalog"] = writing.lock
        AFTER_STATING["alarms"] = alarms.after_stated
        AFTER_LEAVING["alarms"] = alarms.after_leaving
        AFTER_DELETE["alarms"] = alarms.after_team
        AFTER_CHANGE["catalog"] = teams.after_change
        AFTER_CHANGE["alarms"] = alarms.after_team
        BEFORE_DELETE["catalog"] = teams.before_delete
        register_duty(Duty("alarms", turn="catalog.alarms.sweep_alarms", every=300.0))
        register_duty(Duty("teams", turn="catalog.teams.write_missing_groups", every=300.0))
        ingest.AFTER_INGEST["bindings"] = bindings.after_ingest
        AFTER_PUSH["catalog"] = actions.refresh_pushed
        ingest.AFTER_REMOVAL["bindings"] = bindings.after_removal
        jobs.register_kinds()
        refreshing.register_kinds()
        mending.register_mending()
        checking.register_checking()
        settling.register_settling()
        telling.register_telling()
        following.register()
        register_duty(Duty("noticing", turn="catalog.noticing.sweep", every=60.0))
        register_duty(Duty("problems", turn="catalog.telling.sweep_fresh", every=60.0))
        register_duty(Duty("digests", turn="catalog.telling.sweep_digests", every=3600.0))
        register_duty(Duty("sources", turn="catalog.tasks.sweep_sources", every=settings.SWEEP_SECONDS))
        register_topic(TopicKind(kind="source", permission="catalog.view", render=topics.source_state))
        register_topic(
            TopicKind(kind="card", permission="catalog.view", render=topics.card_answer, admit=topics.admit_to_card)
        )
        cards.register()
        searching.register()
        register_entry(
            NavEntry(
                "catalog",
                "Catalog",
                "layout-grid",
                "catalog.view",
                20,
                also=("entity", "entity-*", "views", "view-*", "bulk", "bulk-*", "ownership-*"),
                words="services components entities",
            ),
            NavEntry(
                "catalog-problems",
                "Problems",
                "inbox",
                "catalog.view",
                25,
                also=("problem", "problem-*"),
                words="inbox faults errors wrong mend descriptors",
                count=inbox.navigation_count,
            ),
            NavEntry(
                "sources",
                "Sources",
                "folders",
                "catalog.view",
                120,
                "Organisation",
                also=(
                    "source",
                    "source-*",
                    "sources-*",
                    "conflict",
                    "conflicts",
                    "entities-removed",
                    "entities-unseen",
                ),
                words="register locations import descriptors",
            ),
            NavEntry(
                "cards",
                "Cards",
                "layout-dashboard",
                "org.manage",
                122,
                "Organisation",
                also=("card-*",),
                words="links dashboards entity page json",
            ),
            NavEntry(
                "source-register",
                "Register a source",
                "plus",
                "catalog.register",
                121,
                words="add import catalog-info",
                in_menu=False,
            ),
        )
        register_guide(naming.CatalogGuide())
        # The index of an organisation is made by code, not by a migration: nobody reads before it is there.
        post_migrate.connect(writing.after_migration, sender=self, dispatch_uid="catalog.index")
