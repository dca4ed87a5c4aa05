#!/usr/bin/env python3
"""Draws letters.png from DejaVu Sans Mono, for canvas.cpp: run it once to add letters, never in a build.

    draw.py /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf letters.png      (needs python3-pil)

The page has 32 cells of 18x36 pixels a row, one cell a letter in the order of RANGES, 8-bit coverage in steps of 17.
canvas.cpp has the same ranges."""
import sys

from PIL import Image, ImageDraw, ImageFont

RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x386, 0x3CE), (0x400, 0x45F), (0x490, 0x491), (0x1E80, 0x1E85),
          (0x2010, 0x2026), (0x20AC, 0x20AC), (0x2190, 0x2193), (0x2212, 0x2212), (0x25A1, 0x25A1)]
COLUMNS, WIDTH, HEIGHT, SIZE = 32, 18, 36, 30

letters = [code for first, last in RANGES for code in range(first, last + 1)]
font = ImageFont.truetype(sys.argv[1], SIZE, layout_engine=ImageFont.Layout.BASIC)
page = Image.new("L", (COLUMNS * WIDTH, -(-len(letters) // COLUMNS) * HEIGHT))
for place, code in enumerate(letters):
    cell = Image.new("L", (WIDTH, HEIGHT))
    if chr(code).isprintable():
        ImageDraw.Draw(cell).text((0, 28), chr(code), fill=255, font=font, anchor="ls")
    page.paste(cell, (place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT))
page.point(lambda value: (value + 8) // 17 * 17).save(sys.argv[2], optimize=True)
