"""`python -m fgnet.STAGE --help` explains itself, and so does every step."""

import argparse
import runpy

import pytest
from test_architecture import STAGES

from fgnet import command


def parser_of(stage: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """The parser that `python -m fgnet.STAGE` hands to what reads its command line."""
    found: list[argparse.ArgumentParser] = []
    with monkeypatch.context() as patch:
        patch.setattr(command, "main", lambda parser, *_: found.append(parser) or 0)
        with pytest.raises(SystemExit):
            runpy.run_module(f"fgnet.{stage}", run_name="__main__")
    return found[0]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("stage", STAGES)
def test_help_says_what_it_does_and_of_every_argument_what_it_is(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = parser_of(stage, monkeypatch)
    groups = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    steps = {name: one for group in groups for name, one in group.choices.items()}
    for name, one in {"": parser, **steps}.items():
        assert len((one.description or "").split()) >= 4, name
        # of a step, its help speaks of itself alone
        assert "Args:" not in (one.description or ""), name
        own = [action for action in one._actions if action not in groups]
        silent = [action.dest for action in own if len((action.help or "").split()) < 1]
        assert not silent, f"{name}: {silent} have no help"
        one.format_help()  # a stray % in a text fails here
    # an example of every step
    assert all(f"python -m fgnet.{stage} {name}" in (parser.description or "") for name in steps)
    assert f"python -m fgnet.{stage}" in (parser.description or "")
