"""Bundles hold what their parts hold, in order, and follow them."""

from pathlib import Path

from django.contrib.staticfiles import finders

from portal.kit import bundles


def test_a_bundle_is_its_parts_one_after_the_other() -> None:
    for name, parts in bundles.BUNDLES.items():
        found = finders.find(name)
        assert found
        text = Path(found).read_text()
        places = [text.index(Path(finders.find(part)).read_text()) for part in parts]
        assert places == sorted(places)


def test_a_bundle_follows_its_parts(tmp_path, monkeypatch, settings) -> None:
    (tmp_path / "one.js").write_text("1;")
    settings.VAR_DIR, settings.STATICFILES_DIRS = tmp_path / "var", [tmp_path]
    monkeypatch.setattr(bundles, "BUNDLES", {"both.js": ("one.js", "palette.js")})
    monkeypatch.setattr(bundles, "_part", lambda name: tmp_path / "one.js")
    finder = bundles.BundleFinder()
    assert Path(finder.find("both.js")).read_text() == "1;\n1;"
    (tmp_path / "one.js").write_text("2;")
    assert Path(finder.find("both.js")).read_text() == "2;\n2;"
    assert [name for name, _ in finder.list([])] == ["both.js"]
    assert finder.find("other.js") == []
