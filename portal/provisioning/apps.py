"""The app's registration with Django."""

from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "portal.provisioning"
    label = "provisioning"

    def ready(self) -> None:
        from django.conf import settings

        from catalog.handing.gathering import LAUNCHED
        from catalog.owners.telling import AFTER_STATING
        from portal.clusters import rollouts
        from portal.kit.duties import Duty, register_duty
        from portal.kit.navigation import NavEntry, register_entry
        from portal.provisioning import concerning, following, fragments, panels, previewing, searching, steps, waking

        rollouts.LISTENERS.append(waking.call)
        register_duty(Duty("waking", watch="portal.provisioning.waking.run"))
        register_duty(Duty("runs", turn="portal.provisioning.sweeping.sweep_runs", every=settings.SWEEP_SECONDS))
        steps.register()
        concerning.register()
        AFTER_STATING["runs"] = following.after_stated
        LAUNCHED["runs"] = following.launched
        fragments.register()
        panels.register()
        previewing.register_kinds()
        searching.register()
        register_entry(
            NavEntry("runs", "Runs", "player-play", "runs.view", 40, also=("run", "run-*"), words="history launches"),
        )
