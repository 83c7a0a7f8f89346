"""What each file of a source said when it was read last."""

import django.db.models.deletion
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_team_is_one_thing"),
        ("catalog", "0003_problem_inbox"),
    ]

    operations = [
        migrations.AlterField(
            model_name="source",
            name="digest",
            field=models.CharField(
                blank=True, help_text="Not written any more; goes with the next narrowing.", max_length=64
            ),
        ),
        migrations.CreateModel(
            name="SourceFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("path", models.CharField(max_length=1000)),
                ("mark", models.CharField(help_text="Of its bytes, and of how they are read.", max_length=80)),
                (
                    "includes",
                    models.JSONField(
                        default=dict, help_text="What its placeholders brought: place as written to mark."
                    ),
                ),
                ("entities", models.TextField(blank=True)),
                (
                    "kept",
                    models.JSONField(default=list, help_text="Entities whose documents are wanted at every reading."),
                ),
                ("problems", models.JSONField(default=list, help_text="line, code, sentence, reference")),
                ("broken", models.JSONField(default=list)),
                ("is_whole", models.BooleanField(default=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="files", to="catalog.source"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "source", "path"), name="source_file_once")
                ],
            },
        ),
        EnableTenantPolicy("sourcefile"),
    ]
