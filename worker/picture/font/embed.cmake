# cmake -DINPUT=letters.png -DOUTPUT=letters.cpp -P embed.cmake: the bytes of the page as C++ (letters.h).
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"worker/picture/font/letters.h\"

static constexpr unsigned char kBytes[] = {${bytes}};
std::span<const unsigned char> rushes::worker::letters_png() { return kBytes; }
")
