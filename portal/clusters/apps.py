"""The app's registration with Django."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    name = "portal.clusters"
    label = "clusters"

    def ready(self) -> None:
        from portal.clusters import connecting, panels, searching
        from portal.kit.duties import Duty, register_duty
        from portal.kit.navigation import NavEntry, register_entry

        register_duty(Duty("clusters", watch="portal.clusters.watching.hub.run_clusters"))
        register_duty(Duty("history", turn="portal.clusters.retention.fold_transitions", every=3600.0))
        panels.register()
        searching.register()
        connecting.register_kinds()
        register_entry(
            NavEntry(
                "clusters",
                "Clusters",
                "server-2",
                "clusters.view",
                50,
                also=("cluster", "cluster-*", "workload-*"),
                words="kubernetes nodes",
            ),
        )
