"""What the README shows is what comes out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.documentation.walkthrough import (
    Step,
    Terminal,
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


def test_what_is_pasted_names_no_port() -> None:
    pasted = "\n".join(step.code for step in STEPS)
    assert not re.findall(r"\S*(?:8080|50051)\S*", pasted)


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
    (step,) = steps_of('```sh\necho "${VUMETER_ADMIN_TOKEN-nothing}"\n```\n')
    assert Terminal(checkout=tmp_path).run([step], tmp_path) == ["nothing\n"]
    (step,) = steps_of('```sh\necho "$VUMETER_URL"\n```\n')
    with pytest.raises(AssertionError, match="VUMETER_URL: unbound variable"):
        Terminal(checkout=tmp_path).run([step], tmp_path)


def test_typescript_records_its_point(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    (program,) = re.findall(r"^```ts\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    # Without types it is JavaScript as well, which every node runs.
    (tmp_path / "first.mjs").write_text(program)
    with started_as_shown(README, ROOT, tmp_path) as terminal:
        (step,) = steps_of(
            '```sh\neval "$(.venv/bin/vumeter env)"\n'
            f'"{node}" first.mjs\ncurl -s -H "Authorization: Bearer $VUMETER_KEY"'
            ' "$VUMETER_URL/v1/custom-metrics/names"\n```\n'
        )
        (printed,) = terminal.run([step], tmp_path)
    assert printed.strip() == '{ recorded: 1 }\n{"data":["booking_attempt"]}'
