#include "common/handover/key.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <vector>

#include <openssl/evp.h>

namespace millrace::handover {
namespace {

// A key of 32 bytes is a line of 44; far more is another file.
constexpr std::size_t file_max = 4096;
constexpr const char* make_one = "openssl rand -base64 32";

bool is_base64(std::string_view text) {
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return text.size() % 4 == 0 &&
           std::ranges::all_of(text.substr(0, text.size() - padding), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/';
           });
}

}  // namespace

Result<Key> parse_handover_key(std::string_view text) {
    while (text.ends_with('\n') || text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    if (text.empty()) {
        return failure(Fault::invalid, fmt::format("is empty: fill it with `{}`", make_one));
    }
    if (text.size() > file_max || !is_base64(text)) {
        return failure(
            Fault::invalid,
            fmt::format("is not one line of base64: make a new key with `{}`", make_one));
    }
    std::vector<unsigned char> bytes(text.size() / 4 * 3);
    const int decoded = ::EVP_DecodeBlock(bytes.data(),
                                          reinterpret_cast<const unsigned char*>(text.data()),
                                          static_cast<int>(text.size()));
    const auto padding = static_cast<std::size_t>(std::ranges::count(text, '='));
    if (decoded < 0 || static_cast<std::size_t>(decoded) < key_min + padding) {
        return failure(
            Fault::invalid,
            fmt::format("holds fewer than {} bytes: make a new key with `{}`", key_min, make_one));
    }
    return Key(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::size_t>(decoded) - padding);
}

Result<Key> read_handover_key(const std::string& file) {
    struct stat status = {};
    std::ifstream in(file, std::ios::binary);
    if (!in || ::stat(file.c_str(), &status) != 0) {
        return failure(Fault::invalid,
                       fmt::format("{} cannot be read: {}", file, std::strerror(errno)));
    }
    if (!S_ISREG(status.st_mode)) {
        return failure(Fault::invalid, fmt::format("{} is not a file", file));
    }
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return failure(
            Fault::invalid,
            fmt::format("{} is a secret that others may read or change: chmod 640 {}", file, file));
    }
    std::string text(file_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    auto key = parse_handover_key(text);
    if (!key) {
        return failure(Fault::invalid, fmt::format("{} {}", file, key.error().detail));
    }
    return key;
}

}  // namespace millrace::handover
