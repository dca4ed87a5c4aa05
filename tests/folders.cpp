#include "tests/folders.h"

namespace rushes::test {

std::filesystem::path source_folder() { return RUSHES_SOURCE_DIR; }
std::filesystem::path build_folder() { return RUSHES_BINARY_DIR; }

}  // namespace rushes::test
