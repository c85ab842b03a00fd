"""Compares what a page looks like with a picture of it, loosely."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

PICTURES = Path(__file__).resolve().parent / "pictures"
RENEWING = bool(os.environ.get("VUMETER_TEST_RENEW_PICTURES"))
# Pictures are compared in squares of so many pixels: texts and charts move, panels do not.
SQUARE = 12
KEPT_WIDTH = 180

# Draws PNGs of base64 small, and returns the colours of their squares, 0 to 255, and a smaller PNG.
_READ = """async ([texts, square, width]) => {
    const read = async (text) => {
        const image = new Image();
        image.src = `data:image/png;base64,${text}`;
        await image.decode();
        const draw = (wide, high) => {
            const canvas = document.createElement("canvas");
            Object.assign(canvas, {width: wide, height: high});
            const context = canvas.getContext("2d");
            context.imageSmoothingQuality = "high";
            context.drawImage(image, 0, 0, wide, high);
            return [canvas, context];
        };
        const high = Math.round((image.height * width) / image.width);
        const [small] = draw(width, high);
        const [wide, tall] = [Math.round(width / square), Math.round(high / square)];
        const [, context] = draw(wide, tall);
        return {
            squares: [...context.getImageData(0, 0, wide, tall).data],
            size: [wide, tall],
            png: small.toDataURL("image/png").split(",")[1],
        };
    };
    return Promise.all(texts.map(read));
}"""


def read(browser: Browser, *pictures: bytes) -> list[dict[str, Any]]:
    """Return size and squares of PNGs, each scaled to the width that is kept."""
    page = browser.new_page()
    texts = [base64.b64encode(each).decode() for each in pictures]
    found: list[dict[str, Any]] = page.evaluate(_READ, [texts, SQUARE, KEPT_WIDTH])
    page.close()
    return found


def keep(browser: Browser, name: str, picture: bytes) -> None:
    """Keep a PNG, small, as the picture of that name."""
    PICTURES.mkdir(exist_ok=True)
    (now,) = read(browser, picture)
    (PICTURES / f"{name}.png").write_bytes(base64.b64decode(now["png"]))


def difference(browser: Browser, name: str, picture: bytes) -> float:
    """Return how far a PNG is from the kept one, 0 to 1: the mean over their squares."""
    one, other = read(browser, picture, (PICTURES / f"{name}.png").read_bytes())
    assert one["size"] == other["size"]
    pairs = zip(one["squares"], other["squares"], strict=True)
    total: float = sum(abs(here - there) for here, there in pairs)
    return total / 255 / len(one["squares"])
