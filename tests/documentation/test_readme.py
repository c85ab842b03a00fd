"""What the README shows is what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.documentation.walkthrough import (
    Step,
    Terminal,
    admin_token_of_first_terminal,
    started_as_shown,
    steps_of,
)

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
STEPS = steps_of(README)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Run the whole README once: its first terminal starts the product, its second one asks."""
    with started_as_shown(README, ROOT, tmp_path_factory.mktemp("checkout")) as terminal:
        return terminal.run(STEPS, tmp_path_factory.mktemp("readme"))


def test_ports_are_written_once_in_what_is_pasted() -> None:
    pasted = "\n".join(step.code for step in STEPS)
    assert re.findall(r"\S*(?:8080|50051)\S*", pasted) == ["REST_PORT=8080", "GRPC_PORT=50051"]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.name for step in STEPS])
def test_every_block_prints_its_answer(printed: list[str], number: int) -> None:
    step = STEPS[number]
    if step.answer is None:
        assert printed[number] == ""
    else:
        assert step.is_answered_by(printed[number]), printed[number]


PAGE = """
```sh
export NAME=vumeter
```

Some text.

```sh
echo '{"a": 1}'
```

```json
{"a": 1}
```

```console
$ make run
```

```python
print(1)
```
More text.

```text
not an answer
```
"""


def test_an_answer_stands_right_behind_its_block() -> None:
    assert steps_of(PAGE) == [
        Step(
            line=2,
            language="sh",
            code="export NAME=vumeter\n",
            answer_language=None,
            answer=None,
        ),
        Step(
            line=8,
            language="sh",
            code="echo '{\"a\": 1}'\n",
            answer_language="json",
            answer='{"a": 1}\n',
        ),
        Step(line=20, language="python", code="print(1)\n", answer_language=None, answer=None),
    ]


def test_json_on_one_line_is_compared_word_for_word() -> None:
    (step,) = [each for each in steps_of(PAGE) if each.answer is not None]
    assert step.is_answered_by('{"a": 1}\n')
    assert not step.is_answered_by('{"a":1}\n')


def test_the_second_terminal_inherits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VUMETER_ADMIN_TOKEN", "token-of-the-first-terminal-0123456789")
    (step,) = steps_of('```sh\necho "${VUMETER_ADMIN_TOKEN-nothing} $REST_PORT"\n```\n')
    with pytest.raises(AssertionError, match="REST_PORT: unbound variable"):
        Terminal(checkout=tmp_path, other_ports={}).run([step], tmp_path)
    (step,) = steps_of(
        '```sh\nREST_PORT=1\necho "${VUMETER_ADMIN_TOKEN-nothing} $REST_PORT"\n```\n'
    )
    terminal = Terminal(checkout=tmp_path, other_ports={"REST_PORT=1": "REST_PORT=2"})
    assert terminal.run([step], tmp_path) == ["nothing 2\n"]


def test_the_first_terminal_says_which_token_the_product_gets(tmp_path: Path) -> None:
    start = "```console\n$ git clone x\n$ echo 0123 > token\n$ {}make run\n```\n"
    with_token = start.format("VUMETER_ADMIN_TOKEN=$(cat token) ")
    assert admin_token_of_first_terminal(with_token, tmp_path) == "0123"
    assert admin_token_of_first_terminal(start.format(""), tmp_path) == ""
