#include "common/handover/handover.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace millrace::handover {
namespace {

constexpr std::size_t column_max = 78;
constexpr std::size_t digest_digits = 64;
constexpr std::string_view signature_tag = ";s=";
// Four values of free bytes, each byte encoded as three, and the rest.
constexpr std::size_t text_max = 4 * 3 * value_max + 512;

constexpr std::array origins{std::pair{policy::Origin::submission, std::string_view("submission")},
                             std::pair{policy::Origin::smtp, std::string_view("smtp")},
                             std::pair{policy::Origin::local, std::string_view("local")}};
constexpr std::array verdicts{std::pair{Verdict::judged, std::string_view("accept")},
                              std::pair{Verdict::untouched, std::string_view("untouched")}};

template <class Words, class Value>
std::string_view word_of(const Words& words, Value value) {
    return std::ranges::find(words, value, [](const auto& row) { return row.first; })->second;
}

template <class Value, std::size_t N>
std::optional<Value> value_of(const std::array<std::pair<Value, std::string_view>, N>& words,
                              std::string_view word) {
    const auto row = std::ranges::find(words, word, [](const auto& r) { return r.second; });
    return row == words.end() ? std::nullopt : std::optional(row->first);
}

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < size; ++i) {
        out += digits[bytes[i] >> 4];
        out += digits[bytes[i] & 15];
    }
    return out;
}

bool is_plain(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~@:/").find(c) != std::string_view::npos;
}

std::string encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_plain(c)) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

std::optional<std::string> decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned byte = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const char* const end = digits.data() + digits.size();
        const auto [at, fault] = std::from_chars(digits.data(), end, byte, 16);
        if (digits.size() < 2 || fault != std::errc{} || at != end) return std::nullopt;
        out += static_cast<char>(byte);
        i += 2;
    }
    // One spelling for each value: what encode() would not write is not read.
    if (out.size() > value_max || encode(out) != text) return std::nullopt;
    return out;
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string hmac(std::string_view text, const Key& key) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    ::HMAC(::EVP_sha256(),
           key.data(),
           static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()),
           text.size(),
           bytes.data(),
           &size);
    return hexadecimal(bytes.data(), size);
}

// Takes the tags one after the other, each in its place.
class Tags {
  public:
    explicit Tags(std::string_view text) : rest_(text) {}

    /// The value of the next tag, which must have this name.
    std::string_view raw(char name) {
        good_ = good_ && rest_.size() >= 2 && rest_[0] == name && rest_[1] == '=';
        if (!good_) return {};
        const std::size_t end = std::min(rest_.find(';'), rest_.size());
        const std::string_view value = rest_.substr(2, end - 2);
        rest_.remove_prefix(end);
        if (!rest_.empty()) {
            rest_.remove_prefix(1);
            good_ = !rest_.empty();
        }
        return value;
    }
    std::string text(char name) { return take(decode(raw(name)), std::string()); }
    template <class Words, class Value>
    Value word(char name, const Words& words, Value otherwise) {
        return take(value_of(words, raw(name)), otherwise);
    }
    void require(bool good) { good_ = good_ && good; }
    bool good() const { return good_ && rest_.empty(); }

  private:
    template <class Value>
    Value take(std::optional<Value> value, Value otherwise) {
        good_ = good_ && value.has_value();
        return value ? *std::move(value) : std::move(otherwise);
    }

    std::string_view rest_;
    bool good_ = true;
};

std::optional<Handover> parse(std::string_view text) {
    Tags tags(text);
    tags.require(tags.raw('v') == "1");
    Handover out;
    const std::string_view time = tags.raw('t');
    const auto read = std::from_chars(time.data(), time.data() + time.size(), out.time);
    tags.require(read.ec == std::errc{} && std::to_string(out.time) == time);
    out.queue_id = tags.text('q');
    out.account = tags.text('a');
    out.client = tags.text('c');
    out.origin = tags.word('o', origins, policy::Origin::smtp);
    out.verdict = tags.word('d', verdicts, Verdict::untouched);
    out.tag = tags.text('g');
    out.sender = tags.raw('e');
    tags.require(!out.queue_id.empty() && out.sender.size() == digest_digits &&
                 out.sender.find_first_not_of("0123456789abcdef") == std::string::npos);
    return tags.good() ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::string digest_of(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    ::EVP_Digest(text.data(), text.size(), bytes.data(), &size, ::EVP_sha256(), nullptr);
    return hexadecimal(bytes.data(), size);
}

std::string seal(std::string_view unsigned_text, const Key& key) {
    return std::string(unsigned_text).append(signature_tag).append(hmac(unsigned_text, key));
}

std::string sign(const Handover& h, const Key& key) {
    const bool fits =
        std::ranges::all_of(std::array<std::string_view, 4>{h.queue_id, h.account, h.client, h.tag},
                            [](std::string_view value) { return value.size() <= value_max; });
    if (h.queue_id.empty() || !fits) return {};
    const std::string text = "v=1;t=" + std::to_string(h.time) + ";q=" + encode(h.queue_id) +
                             ";a=" + encode(h.account) + ";c=" + encode(h.client) +
                             ";o=" + std::string(word_of(origins, h.origin)) +
                             ";d=" + std::string(word_of(verdicts, h.verdict)) +
                             ";g=" + encode(h.tag) + ";e=" + h.sender;
    return seal(text, key);
}

std::string field_value(const Handover& handover, const Key& key) {
    const std::string text = sign(handover, key);
    std::string out;
    std::size_t column = field_name.size() + 1;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t semicolon = std::min(text.find(';', start), text.size() - 1);
        std::string_view tag = std::string_view(text).substr(start, semicolon + 1 - start);
        start = semicolon + 1;
        if (out.empty() || column + 1 + tag.size() <= column_max) {
            out += ' ';
            ++column;
        } else {
            out += "\n\t";
            column = 1;
        }
        while (column + tag.size() > column_max) {  // a name longer than a line
            const std::size_t room = column_max - column;
            out.append(tag.substr(0, room)).append("\n\t");
            tag.remove_prefix(room);
            column = 1;
        }
        out += tag;
        column += tag.size();
    }
    return out;
}

std::expected<Handover, std::string> read(std::string_view value, const Key& key) {
    std::string text;
    for (const char c : value) {
        if (is_blank(c)) continue;
        if (text.size() == text_max) return std::unexpected("the field is too long");
        text += c;
    }
    const std::size_t end = text.rfind(signature_tag);
    if (end == std::string::npos || text.size() - end - signature_tag.size() != digest_digits) {
        return std::unexpected("the field has no signature");
    }
    const std::string_view signed_text = std::string_view(text).substr(0, end);
    const std::string ours = hmac(signed_text, key);
    if (key.size() < key_min ||
        ::CRYPTO_memcmp(ours.data(), text.data() + end + signature_tag.size(), digest_digits) !=
            0) {
        return std::unexpected("the signature is not of our key");
    }
    auto handover = parse(signed_text);
    if (!handover) return std::unexpected("the field is of another version, or malformed");
    return *std::move(handover);
}

}  // namespace millrace::handover
