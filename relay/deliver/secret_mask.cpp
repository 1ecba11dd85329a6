#include "relay/deliver/secret_mask.hpp"

#include <algorithm>

#include "common/mail/header_block.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t secret_min = 4;
constexpr std::string_view cover = "***";

}  // namespace

void SecretMask::hide(std::string_view secret) {
    if (secret.size() < secret_min || std::ranges::find(secrets_, secret) != secrets_.end()) return;
    secrets_.emplace_back(secret);
    // One may hold another.
    std::ranges::sort(secrets_, std::ranges::greater{}, &std::string::size);
}

std::string SecretMask::covered(std::string_view line) const {
    std::string out(line);
    for (auto const& secret : secrets_) {
        for (auto at = out.find(secret); at != std::string::npos;
             at = out.find(secret, at + cover.size())) {
            out.replace(at, secret.size(), cover);
        }
    }
    return out;
}

std::string SecretMask::said(std::string_view line) {
    if (in_exchange_) {
        hide(line);
        return std::string(cover);
    }
    if (!mail::same_name(line.substr(0, 5), "AUTH ")) return covered(line);
    in_exchange_ = true;
    auto const mechanism = line.find_first_not_of(' ', 5);
    auto const end = line.find(' ', std::min(mechanism, line.size()));
    if (end == std::string_view::npos) return std::string(line);
    hide(line.substr(line.find_first_not_of(' ', end) == std::string_view::npos
                         ? line.size()
                         : line.find_first_not_of(' ', end)));
    return std::string(line.substr(0, end + 1)).append(cover);
}

std::string SecretMask::heard(std::string_view line) const {
    return covered(line);
}

void SecretMask::replied(unsigned code) {
    if (code != 334) in_exchange_ = false;
}

}  // namespace millrace::relay
