#include "common/mail/text_decoder.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/mail/charset.hpp"
#include "common/mail/charset_table.hpp"
#include "common/mail/encoded_word.hpp"
#include "common/mail/iso2022_jp.hpp"
#include "common/mail/utf8.hpp"

namespace millrace::mail {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}
bool is_8bit(char c) {
    return static_cast<unsigned char>(c) > 127;
}
bool is_control(char c) {
    return static_cast<unsigned char>(c) < 32 || c == 127;
}

// A charset that raw bytes in a header can be in.
bool is_raw_charset(std::string_view label) {
    const Charset* charset = find_charset(label);
    return charset != nullptr && charset->repertoire != Repertoire::stateful &&
           charset->repertoire != Repertoire::iso2022_jp &&
           charset->repertoire != Repertoire::seven_bit;
}

bool starts_with_utf16_mark(std::string_view bytes) {
    return bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF");
}

bool has_c1(std::string_view bytes) {
    for (const char c : bytes)
        if (is_8bit(c) && static_cast<unsigned char>(c) < 0xA0) return true;
    return false;
}

bool is_latin_label(const Charset& charset) {
    return charset.repertoire == Repertoire::latin || charset.repertoire == Repertoire::windows;
}

// The steps of the ladder behind UTF-8.
std::string decode_by_guess(std::string_view bytes,
                            const TextOptions& options,
                            TextDefects& defects) {
    if (is_raw_charset(options.content_charset))
        if (auto text = decode_charset(bytes, options.content_charset)) return std::move(*text);
    defects.add(TextDefect::charset_guess);
    const std::string_view fallback =
        is_raw_charset(options.fallback_charset) ? options.fallback_charset : "windows-1252";
    if (auto text = decode_charset(bytes, fallback)) return std::move(*text);
    defects.add(TextDefect::undecodable);
    return decode_charset_lossy(bytes, fallback);
}

// Encoded-words that stand side by side with the same charset.
struct Group {
    std::string_view label;
    const Charset* charset = nullptr;
    std::string bytes;
    std::vector<std::size_t> ends;  // where each word's bytes end
    bool followed = false;          // by another word, of another charset
};

// How text claims to be UTF-8 and where it fails.
struct CutUtf8 {
    bool whole_elsewhere = true;  // nothing is wrong but a character cut off at the end
    std::size_t characters = 0;   // whole ones of more than one byte
    std::size_t tail = 0;         // bytes of the character that was cut off

    // A lone lead byte may as well be a letter of another charset.
    bool is_evident() const { return whole_elsewhere && tail != 0 && (tail > 1 || characters > 1); }
};

CutUtf8 look_for_cut(std::string_view bytes) {
    CutUtf8 result;
    while (!bytes.empty()) {
        const std::size_t n = utf8_sequence(bytes);
        if (n == 0) {
            result.whole_elsewhere = is_truncated_utf8(bytes);
            result.tail = bytes.size();
            break;
        }
        result.characters += n > 1 ? 1 : 0;
        bytes.remove_prefix(n);
    }
    return result;
}

// UTF-8 whose only faults are characters cut off at the end of a word: the rest of them is lost,
// and nothing says that the label is wrong.
bool has_lost_pieces(const Group& group) {
    std::size_t begin = 0;
    bool lost = false;
    for (std::size_t w = 0; w < group.ends.size(); ++w) {
        std::string_view word(group.bytes);
        word = word.substr(begin, group.ends[w] - begin);
        begin = group.ends[w];
        const CutUtf8 cut = look_for_cut(word);
        if (!cut.whole_elsewhere) return false;
        const bool last = w + 1 == group.ends.size() && !group.followed;
        if (cut.tail != 0 && last && !cut.is_evident()) return false;
        lost = lost || cut.tail != 0;
    }
    return lost;
}

std::string decode_group(const Group& group, const TextOptions& options, TextDefects& defects) {
    const std::string_view bytes = group.bytes;
    if (group.charset == nullptr) {
        defects.add(TextDefect::unknown_charset);
        return decode_raw(bytes, options, defects);
    }
    const Charset& charset = *group.charset;
    const bool utf8 = charset.name == "utf-8";
    const bool ascii_label = charset.repertoire == Repertoire::seven_bit;
    if (!utf8 && (ascii_label || is_latin_label(charset)) && !is_ascii(bytes) && is_utf8(bytes)) {
        if (ascii_label || has_c1(bytes)) {
            defects.add(TextDefect::mislabelled);
            return std::string(bytes);
        }
        defects.add(TextDefect::mislabel_suspect);
    }
    if (auto text = decode_charset(bytes, group.label)) return std::move(*text);
    if (utf8 && has_lost_pieces(group)) {
        defects.add(TextDefect::undecodable);
        return replace_invalid_utf8(bytes);
    }
    defects.add(TextDefect::mislabelled);
    return decode_raw(bytes, options, defects);
}

// CR LF, CR, LF, line and paragraph separator, and other blanks to SP; controls away. Tells whether
// there was anything but HTAB and blanks to clean.
struct Cleaned {
    bool controls = false;
    bool bidi = false;
};

Cleaned append_clean(std::string& out, std::string_view utf8) {
    Cleaned result;
    while (!utf8.empty()) {
        const std::size_t n = std::max<std::size_t>(utf8_sequence(utf8), 1);
        const char32_t c = utf8_decode(utf8, n);
        if (c == '\r' || c == '\n' || c == 0x2028 || c == 0x2029) {
            result.controls = true;
            out += ' ';
            if (utf8.starts_with("\r\n")) utf8.remove_prefix(1);
        } else if ((c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0)) {
            result.controls = true;
        } else {
            result.bidi =
                result.bidi || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
            out += utf8.substr(0, n);
        }
        utf8.remove_prefix(n);
    }
    return result;
}

class Decoder {
  public:
    Decoder(std::string_view text, const TextOptions& options, DecodedText& result)
        : text_(text), options_(options), result_(result) {}

    void run() {
        while (at_ < text_.size()) {
            if (is_blank(text_[at_]))
                read_blanks();
            else if (const auto word = read_word(at_))
                take_word(*word);
            else
                read_raw();
        }
        close_group();
        result_.text += blanks_;
    }

  private:
    // The encoded-word at `at`, unless it is one in form only.
    std::optional<EncodedWord> read_word(std::size_t at) const {
        auto word = read_encoded_word(text_.substr(at));
        if (word && is_garbage(*word)) word.reset();
        return word;
    }

    // Broken base64 that decodes to controls has lost more than its padding: it stays literal.
    static bool is_garbage(const EncodedWord& word) {
        if (word.encoding != 'B') return false;
        bool fault = false;
        const std::string bytes = decode_payload(word, fault);
        const Charset* charset = find_charset(word.charset);
        const bool shifts = charset != nullptr && !is_raw_charset(word.charset);
        return fault && !shifts && std::ranges::any_of(bytes, [](char c) {
                   return is_control(c) && c != '\t' && c != '\r' && c != '\n';
               });
    }

    void read_blanks() {
        bool line_open = false;  // inside a line that has had nothing but blanks so far
        for (; at_ < text_.size() && is_blank(text_[at_]); ++at_) {
            if (text_[at_] == '\n') {
                if (line_open) defect(TextDefect::blank_fold);
                line_open = true;
            } else {
                blanks_ += text_[at_];
            }
        }
        if (line_open && at_ == text_.size()) defect(TextDefect::blank_fold);
    }

    void take_word(const EncodedWord& word) {
        const bool glued = (at_ != 0 && !is_blank(text_[at_ - 1])) ||
                           (at_ + word.size < text_.size() && !is_blank(text_[at_ + word.size]));
        bool fault = glued || word.payload.empty();
        const std::string bytes = decode_payload(word, fault);
        if (fault) defect(TextDefect::malformed_word);
        if (word.size > encoded_word_max) defect(TextDefect::long_word);
        const Charset* charset = find_charset(word.charset);
        if (charset != nullptr) check_alone(word, bytes);

        const bool joins = group_ && group_->charset == charset && charset != nullptr;
        if (!joins) {
            const bool adjacent = group_.has_value();
            if (adjacent) group_->followed = true;
            const std::string blanks = std::exchange(blanks_, {});
            close_group();
            if (!adjacent) result_.text += blanks;
            group_.emplace();
            group_->label = word.charset;
            group_->charset = charset;
        }
        blanks_.clear();
        group_->bytes += bytes;
        group_->ends.push_back(group_->bytes.size());
        at_ += word.size;
    }

    // Each word has to be decodable by itself, in just the charset its label names.
    void check_alone(const EncodedWord& word, std::string_view bytes) {
        if (decode_charset(bytes, word.charset, Width::exact)) return;
        result_.right = false;
        result_.defects.add(TextDefect::malformed_word);
    }

    void read_raw() {
        const std::size_t begin = at_;
        bool plain = true;
        bool shifted = false;
        do {
            if (const std::size_t n = text_[at_] == '\x1b' ? jis_shift(text_.substr(at_)) : 0;
                n != 0) {
                at_ += jis_run(text_.substr(at_));
                shifted = true;
                continue;
            }
            plain = plain && !is_8bit(text_[at_]) && !is_control(text_[at_]);
            ++at_;
        } while (at_ < text_.size() && !is_blank(text_[at_]) &&
                 !(text_[at_] == '=' && read_word(at_)));
        const std::string_view bytes = text_.substr(begin, at_ - begin);
        close_group();
        result_.text += std::exchange(blanks_, {});
        if (plain && !shifted) {
            result_.text += bytes;
            return;
        }
        if (shifted || !is_ascii(bytes)) defect(TextDefect::raw_8bit);
        clean(decode_raw(bytes, options_, result_.defects));
    }

    void close_group() {
        if (!group_) return;
        clean(decode_group(*group_, options_, result_.defects));
        group_.reset();
        if (result_.defects.has(TextDefect::unknown_charset) ||
            result_.defects.has(TextDefect::mislabelled))
            result_.right = false;
    }

    void clean(std::string_view utf8) {
        const Cleaned cleaned = append_clean(result_.text, utf8);
        if (cleaned.controls || utf8.find('\t') != std::string_view::npos)
            defect(TextDefect::control);
        if (cleaned.bidi) result_.defects.add(TextDefect::bidi_override);
    }

    void defect(TextDefect d) {
        result_.defects.add(d);
        result_.right = false;
    }

    std::string_view text_;
    const TextOptions& options_;
    DecodedText& result_;
    std::size_t at_ = 0;
    std::string blanks_;  // seen, and not yet known to be shown
    std::optional<Group> group_;
};

}  // namespace

std::string with_plain_blanks(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    while (!utf8.empty()) {
        const std::size_t n = std::max<std::size_t>(utf8_sequence(utf8), 1);
        const char32_t c = utf8_decode(utf8, n);
        const bool blank = c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
                           c == 0x202F || c == 0x205F || c == 0x3000;
        out += blank ? std::string_view(" ") : utf8.substr(0, n);
        utf8.remove_prefix(n);
    }
    return out;
}

std::string decode_raw(std::string_view bytes, const TextOptions& options, TextDefects& defects) {
    if (bytes.find('\x1b') != std::string_view::npos && is_ascii(bytes))
        if (auto text = decode_charset(bytes, "iso-2022-jp")) return std::move(*text);
    if (is_utf8(bytes)) return std::string(bytes);
    std::string text;
    if (cesu8_to_utf8(bytes, text)) return text;
    if (starts_with_utf16_mark(bytes)) {
        defects.add(TextDefect::undecodable);
        return replace_invalid_utf8(bytes);
    }
    if (look_for_cut(bytes).is_evident()) {
        defects.add(TextDefect::undecodable);
        return replace_invalid_utf8(bytes);
    }
    return decode_by_guess(bytes, options, defects);
}

std::string normalise_folds(std::string_view value, DecodedText& result) {
    std::string out;
    out.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (c != '\r' && c != '\n') {
            out += c;
            continue;
        }
        const bool crlf = c == '\r' && i + 1 < value.size() && value[i + 1] == '\n';
        const std::size_t next = i + (crlf ? 2 : 1);
        const bool fold = (crlf || c == '\n') && next < value.size() &&
                          (value[next] == ' ' || value[next] == '\t');
        if (crlf) ++i;
        out += fold ? '\n' : ' ';
        if (!fold) {
            result.defects.add(TextDefect::control);
            result.right = false;
        }
    }
    return out;
}

void decode_folded(std::string_view text, const TextOptions& options, DecodedText& result) {
    Decoder(text, options, result).run();
}

}  // namespace millrace::mail
