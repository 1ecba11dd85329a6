#include "common/config/postmaster_copies.hpp"

#include <fmt/format.h>

namespace millrace::config {
namespace {

struct Word {
    const char* text;
    bool PostmasterCopies::*wish;
};
constexpr Word wishes[] = {{"bounce", &PostmasterCopies::bounce},
                           {"double-bounce", &PostmasterCopies::double_bounce},
                           {"delay", &PostmasterCopies::delay}};

}  // namespace

Objection read_postmaster_copies(const std::vector<std::string>& words, PostmasterCopies& copies) {
    PostmasterCopies read;
    for (auto const& word : words) {
        bool known = false;
        for (auto const& [text, wish] : wishes) {
            if (word != text) continue;
            read.*wish = true;
            known = true;
        }
        if (!known) {
            return fmt::format("{} is not one of \"bounce\", \"double-bounce\" and \"delay\"",
                               quote(word));
        }
    }
    copies = read;
    return std::nullopt;
}

std::vector<std::string> words_of(const PostmasterCopies& copies) {
    std::vector<std::string> words;
    for (auto const& [text, wish] : wishes) {
        if (copies.*wish) words.emplace_back(text);
    }
    return words;
}

}  // namespace millrace::config
