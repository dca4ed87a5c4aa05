// Where tests find the project's own files and programs.
//
// Functions of one small object: no other object depends on where the project lies, so that a compiler cache serves
// every clone of it.
#pragma once

#include <filesystem>

namespace rushes::test {

std::filesystem::path source_folder();  // of the checkout
std::filesystem::path build_folder();

}  // namespace rushes::test
