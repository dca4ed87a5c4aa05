// Drawing on display pictures: rectangles, frames, pictures, text in the built-in letters (font/). Everything is clipped
// to the canvas.
//
// Thread contract: an Image8 belongs to its writer.
#pragma once

#include <string>
#include <string_view>

#include "worker/picture/png_image.h"

namespace rushes::worker {

struct Rgb8 {
  std::uint8_t r = 0, g = 0, b = 0;
};

void fill_rectangle(Image8& canvas, int x, int y, int width, int height, Rgb8 colour);
void draw_outline(Image8& canvas, int x, int y, int width, int height, Rgb8 colour);  // two pixels, inside
void draw_image(Image8& canvas, int x, int y, const Image8& image);

enum class TextSize {
  kText,   // letters of 12x24 pixels
  kTitle,  // letters of 18x36 pixels
};

// One line of UTF-8 with its top left corner at (x, y). Latin, Greek and Cyrillic letters; a box stands for each
// character that the font lacks and for each byte that is no UTF-8, a space for a line break or a tab.
void draw_text(Image8& canvas, int x, int y, std::string_view text, Rgb8 colour,
               TextSize size = TextSize::kText);
int text_width(std::string_view text, TextSize size = TextSize::kText);  // pixels
int text_height(TextSize size = TextSize::kText);

// A text for these letters: a "…" for each run of characters that the font lacks, and how many those are.
struct Lettered {
  std::string text;  // empty where nothing else is left
  int lacking = 0;
};
Lettered in_letters(std::string_view text);

// The text, or its beginning with "…" when it is wider than `width` pixels.
std::string fit_text(std::string_view text, int width, TextSize size = TextSize::kText);

}  // namespace rushes::worker
