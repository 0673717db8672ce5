from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.config import Config, ConfigError, PluginConfig, SourcesConfig, load_config, parse_config
from loom.core.recipe import PRESETS, End, Recipe, Sampling

FILE = Path("loom.toml")


def parsed(text: str) -> Config:
    return parse_config(text.encode(), FILE)


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        parsed(text)
    return error.value


def test_an_empty_file_changes_nothing() -> None:
    assert parsed("") == Config()
    assert parsed("# only a remark\n\n") == Config()


def test_the_defaults_are_those_of_the_recipe() -> None:
    config = Config()
    assert config.recipe == Recipe(sampling=PRESETS["balanced"], preset="balanced")
    assert (config.model, config.branches, config.recipe.tokens) == (None, 4, 48)


def test_every_key() -> None:
    config = parsed(
        """
        model = "house"
        branches = 6
        tokens = 96
        preset = "mine"
        end = "sentence"
        stop = ["\\n\\n", "THE END"]
        top = 10

        [presets.mine]
        temperature = 1
        top_k = 40
        top_p = 0.95
        min_p = 0.05
        typical_p = 0.9
        repetition_penalty = 1.1
        repetition_window = 64
        logit_bias = [[13, -1.5], [7, 2]]

        [engine]
        device = "cpu"
        dtype = "float32"
        threads = 2
        cache_mb = 512
        download = false
        of_a_plugin = 12

        [keys]
        grow = ["g", "space"]
        undo = "u"
        """
    )
    mine = Sampling(
        temperature=1.0,
        top_k=40,
        top_p=0.95,
        min_p=0.05,
        typical_p=0.9,
        repetition_penalty=1.1,
        repetition_window=64,
        logit_bias=((13, -1.5), (7, 2.0)),
    )
    assert config == Config(
        model="house",
        branches=6,
        preset="mine",
        recipe=Recipe(
            sampling=mine,
            tokens=96,
            end=End.SENTENCE,
            stop=("\n\n", "THE END"),
            top=10,
            preset="mine",
        ),
        presets={"mine": mine},
        engine={
            "device": "cpu",
            "dtype": "float32",
            "threads": 2,
            "cache_mb": 512,
            "download": False,
            "of_a_plugin": 12,
        },
        keys={"grow": ("g", "space"), "undo": ("u",)},
    )


def test_a_whole_number_will_do_where_a_number_is_asked_for() -> None:
    temperature = parsed("[presets.a]\ntemperature = 2").presets["a"].temperature
    assert temperature == 2.0 and isinstance(temperature, float)


def test_a_user_s_preset_comes_before_a_built_in_one() -> None:
    config = parsed("[presets.balanced]\ntemperature = 0.1")
    assert config.recipe.sampling == Sampling(temperature=0.1)
    assert config.recipe_with("balanced").sampling == Sampling(temperature=0.1)


def test_a_recipe_with_another_preset_keeps_the_rest() -> None:
    config = parsed('tokens = 7\nend = "paragraph"')
    wild = config.recipe_with("wild")
    assert wild == replace(config.recipe, sampling=PRESETS["wild"], preset="wild")


def test_a_preset_that_is_not_there_has_a_hint() -> None:
    with pytest.raises(ConfigError, match="'wlid'") as error:
        Config().recipe_with("wlid")
    assert error.value.hint == "Did you mean wild?"


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("tokens = 0", 1, "tokens", "1 or more"),
        ("\n\ntokens = -3 # few", 3, "tokens", "1 or more"),
        ("tokens = 4.5", 1, "tokens", "a whole number"),
        ("tokens = true", 1, "tokens", "a whole number"),
        ("tokens = 99999999999", 1, "tokens", "at most"),
        ("branches = 0", 1, "branches", "between 1 and 64"),
        ("branches = 65", 1, "branches", "between 1 and 64"),
        ('branches = "4"', 1, "branches", "a whole number"),
        ("top = 0", 1, "top", "between 1 and 100"),
        ("top = 101", 1, "top", "between 1 and 100"),
        ("model = 3", 1, "model", "a text in quotes"),
        ('model = ""', 1, "model", "a text in quotes"),
        ('tokens = 5\nend = "word"', 2, "end", "tokens, sentence, paragraph"),
        ("end = []", 1, "end", "tokens, sentence, paragraph"),
        ("stop = 1", 1, "stop", "a list of texts"),
        ('stop = [\n  "a",\n  ""]', 1, "stop", "a list of texts"),
        ('\nstop = [\n  "a",\n  2]\ntop = 3', 2, "stop", "a list of texts"),
        ('# hm\npreset = "none"', 2, "preset", "the name of a preset"),
        ("preset = {}", 1, "preset", "a text in quotes"),
        ("presets = 3", 1, "presets", "a table"),
        ("[presets]\nmine = 3", 2, "presets.mine", "a table"),
        ("[presets.mine]\n\ntop_p = 0.5\ntemperature = -1", 4, "presets.mine.temperature", "0 or"),
        ("[presets.mine]\ntemperature = nan", 2, "presets.mine.temperature", "a number"),
        ("[presets.mine]\ntemperature = inf", 2, "presets.mine.temperature", "a number"),
        ("[presets.mine]\ntop_p = 1.5", 2, "presets.mine.top_p", "at most 1"),
        ("[presets.mine]\nmin_p = 1", 2, "presets.mine.min_p", "below 1"),
        ("[presets.mine]\ntypical_p = 0", 2, "presets.mine.typical_p", "above 0"),
        ("[presets.mine]\ntop_k = -1", 2, "presets.mine.top_k", "0 (off) or more"),
        ("[presets.mine]\nrepetition_penalty = 0", 2, "presets.mine.repetition_penalty", "above"),
        ("[presets.mine]\nrepetition_window = -1", 2, "presets.mine.repetition_window", "0 or"),
        ("[presets.mine]\nlogit_bias = [[1, 2], 3]", 2, "presets.mine.logit_bias", "a list of"),
        ("[presets.mine]\nlogit_bias = 7", 2, "presets.mine.logit_bias", "a list of"),
        ("[presets.mine]\nlogit_bias = [[1.5, 2]]", 2, "presets.mine.logit_bias", "a list of"),
        ("presets.a.top_p = 0.5\npresets.a.top_k = -2", 2, "presets.a.top_k", "0 (off)"),
        ("engine = 1", 1, "engine", "a table"),
        ("[engine]\ndevice = []", 2, "engine.device", "a text, a number, true or false"),
        ("[engine]\nthreads = nan", 2, "engine.threads", "a text, a number"),
        ("keys = []", 1, "keys", "a table"),
        ("[keys]\ngrow = 3", 2, "keys.grow", "a list of texts"),
        ("[keys]\n\n\ngrow = ['g', '']", 4, "keys.grow", "a list of texts"),
    ],
)
def test_a_wrong_value_is_named_with_file_line_and_what_is_allowed(
    text: str, line: int, key: str, says: str
) -> None:
    error = refused(text)
    assert str(error).startswith(f"loom.toml, line {line}: {key} must be ")
    assert says in str(error)
    assert str(error).endswith(".") and "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ("tokns = 3", 1, "tokns", "Did you mean tokens?"),
        ("tokens = 3\n\n[preset.a]\ntop_k = 3", 3, "preset.a", ""),
        ("[presets.a]\ntemprature = 1", 2, "presets.a.temprature", "Did you mean temperature?"),
        ("[engine]\ndevcie = 'cpu'", 2, "engine.devcie", "Did you mean device?"),
        ("[engin]\nthreads = 2", 1, "engin", "Did you mean engine?"),
        ("\nxyzzy = 3", 2, "xyzzy", "Allowed are branches, end, "),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(
    text: str, line: int, key: str, hint: str
) -> None:
    error = refused(text)
    assert f"line {line}: " in str(error)
    if key == "preset.a":  # a table where the name of a preset belongs
        assert "preset must be a text" in str(error)
        return
    assert str(error) == f"loom.toml, line {line}: {key} is unknown."
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tokens =", 1),
        ("tokens = 3\n[presets", 2),
        ("tokens = 3\ntop = 4\nend = tokens\n", 3),
        ("stop = 'a\n", 1),
        ("model = '''a\ntokens = 0", 2),
        ("model = '''a\ntokens = 0'''\ntokens = \\\n", 3),
    ],
)
def test_a_slip_of_the_pen_is_named_with_its_line(text: str, line: int) -> None:
    error = refused(text)
    assert str(error).startswith(f"loom.toml, line {line}: ")
    assert str(error).endswith(".") and "\n" not in str(error)
    assert error.hint


def test_what_looks_like_a_key_inside_a_text_is_not_taken_for_it() -> None:
    error = refused("model = '''\ntokens = 0\n'''\n\ntokens = 0\n")
    assert str(error).startswith("loom.toml, line 5: tokens")


def test_a_file_that_is_not_text_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError, match="line 2: this is not UTF-8"):
        parse_config(b"tokens = 3\nmodel = '\xff'\n", FILE)


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble() -> None:
    assert parse_config(b"\xef\xbb\xbftokens = 3\r\ntop = 4\r\n", FILE).recipe.tokens == 3
    with pytest.raises(ConfigError, match="line 2: top must be"):
        parse_config(b"tokens = 3\r\ntop = 0\r\n", FILE)


def test_nesting_without_end_is_an_error_like_any_other() -> None:
    assert "line 1" in str(refused("tokens = " + "[" * 100_000))


def test_control_characters_are_not_repeated_in_the_message() -> None:
    error = refused('"\\u001b[31m" = 1\n')
    assert "\x1b" not in str(error) + error.hint
    error = refused('preset = "\\u001b[31m\\u202e"\n')
    assert "\x1b" not in str(error) and "\u202e" not in str(error)


def test_a_model_s_path_is_meant_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "loom.toml"
    file.write_text('model = "./models/x"')
    assert load_config(file).model == str(tmp_path / "models" / "x")
    for name in ("house", "org/model", "/somewhere/else"):
        file.write_text(f'model = "{name}"')
        assert load_config(file).model == name


def test_a_file_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no .*mine.toml"):
        load_config(tmp_path / "mine.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(tmp_path)


def test_the_user_s_own_file_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path))
    assert load_config() == Config()
    (tmp_path / "loom.toml").write_text("branches = 2")
    assert load_config().branches == 2
    (tmp_path / "loom.toml").write_text("branches = 0")
    with pytest.raises(ConfigError, match=r"loom\.toml, line 1: branches"):
        load_config()


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_settings_or_a_config_error(data: bytes) -> None:
    try:
        parse_config(data, FILE)
    except ConfigError as error:
        assert str(error).startswith("loom.toml, line ")


WORDS = st.sampled_from(
    ["tokens", "top", "presets", "engine", "keys", "=", ".", "[", "]", "\n", "3", "'a'", "{", "}"]
    + ["true", "1e400", "-inf", "stop", ",", "model", "logit_bias", "mine", "1979-05-27", '"']
)


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_toml_is_settings_or_a_config_error(text: str) -> None:
    try:
        parsed(text)
    except ConfigError as error:
        assert str(error).startswith("loom.toml, line ")


def test_sources_are_weighed_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert parsed("").sources == SourcesConfig("", True)
    assert parsed('[sources]\nset = "general"').sources == SourcesConfig("general", True)
    assert not parsed("[sources]\nweigh = false").sources.weigh
    file = tmp_path / "loom.toml"
    found = parse_config(b'[sources]\nset = "./mine.toml"', file)
    assert found.sources.set == str(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("sources = 3", 1, "sources must be a table"),
        ("\n[sources]\nsets = 'a'", 3, "sources.sets is unknown"),
        ("[sources]\nset = 4", 2, "sources.set must be a text"),
        ("[sources]\n\nweigh = 'no'", 3, "sources.weigh must be true or false"),
    ],
)
def test_a_mistake_about_sources_is_named_with_its_line(text: str, line: int, named: str) -> None:
    with pytest.raises(ConfigError, match=f"line {line}: {named}"):
        parsed(text)


def test_keymap_and_theme() -> None:
    config = parsed('keymap = "pyloom"\ntheme = "nord"\n[keys]\nroot = ["f5", "r"]\n')
    assert (config.keymap, config.theme) == ("pyloom", "nord")
    assert config.keys == {"root": ("f5", "r")}
    assert (Config().keymap, Config().theme) == ("default", "loom-dark")


@pytest.mark.parametrize("value", ['"emacs"', "3", '["pyloom"]'])
def test_an_unknown_keymap_names_line_and_choices(value: str) -> None:
    error = refused(f"branches = 2\nkeymap = {value}\n")
    assert str(error).startswith("loom.toml, line 2: keymap must be one of default, pyloom")


def test_a_theme_is_a_text() -> None:
    assert str(refused("theme = 1")).startswith("loom.toml, line 1: theme must be a text")


def test_where_names_the_line_of_a_setting() -> None:
    config = parsed('theme = "nord"\n\n[keys]\nroot = "f5"\n')
    assert config.where("theme") == "loom.toml, line 1: theme"
    assert config.where("keys", "root") == "loom.toml, line 4: keys.root"
    assert Config().where("keys", "root") == "keys.root"


def test_engine_options_of_the_command_line_come_over_those_of_the_file() -> None:
    config = Config(engine={"threads": 2, "own": "mine"})
    assert config.with_engine({"threads": 1, "own": "yours", "context": 64}).engine == {
        "threads": 1,
        "own": "yours",
        "context": 64,
    }
    with pytest.raises(ConfigError, match="no engine option 'thread'") as raised:
        config.with_engine({"thread": 1})
    assert raised.value.hint == "Did you mean threads?"
    with pytest.raises(ConfigError, match="'nonsense'") as raised:
        config.with_engine({"nonsense": 1})
    assert "kv_type" in raised.value.hint and "own" in raised.value.hint


def test_plugins_are_on_unless_the_file_switches_them_off() -> None:
    config = parsed(
        """
        [plugins]
        disabled = ["traps", "mine"]
        enabled = "ledger"

        [plugins.traps]
        alpha = 0.01
        genres = ["prose", "list"]
        """
    )
    assert config.plugin("traps") == PluginConfig(
        enabled=False, options={"alpha": 0.01, "genres": ["prose", "list"]}
    )
    assert config.plugin("mine") == PluginConfig(enabled=False)
    assert config.plugin("ledger") == config.plugin("never named") == PluginConfig()


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("[plugins]\ntraps = 3", 2, "plugins.traps"),
        ("[plugins]\n\ndisabled = [3]", 3, "plugins.disabled"),
        ("[plugins.traps]\nalpha = {b = 1}", 2, "plugins.traps.alpha"),
        ("[plugins.traps]\n\n\nalpha = nan", 4, "plugins.traps.alpha"),
        ('[plugins]\nenabled = ["a"]\ndisabled = ["b", "a"]', 3, "plugins.disabled"),
        ("plugins = 3", 1, "plugins"),
    ],
)
def test_a_mistake_about_plugins_is_named_with_its_line(text: str, line: int, named: str) -> None:
    assert str(refused(text)).startswith(f"{FILE}, line {line}: {named} ")
