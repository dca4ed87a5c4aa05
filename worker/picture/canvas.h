// Drawing on display pictures: rectangles, pictures, text in the built-in font. Everything is clipped to the
// canvas.
//
// Thread contract: an Image8 belongs to its writer.
#pragma once

#include <string_view>

#include "worker/picture/png_image.h"

namespace rushes::worker {

struct Rgb8 {
  std::uint8_t r = 0, g = 0, b = 0;
};

void fill_rectangle(Image8& canvas, int x, int y, int width, int height, Rgb8 colour);
void draw_image(Image8& canvas, int x, int y, const Image8& image);

// One line with its top left corner at (x, y), every font dot `scale` pixels wide. What is not printable
// ASCII shows as
// '?', one for each UTF-8 letter.
void draw_text(Image8& canvas, int x, int y, std::string_view text, Rgb8 colour, int scale);
int text_width(std::string_view text, int scale);  // pixels
int text_height(int scale);

// The text, or its beginning with "..." when it is wider than `width` pixels.
std::string fit_text(std::string_view text, int width, int scale);

}  // namespace rushes::worker
