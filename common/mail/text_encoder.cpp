#include "common/mail/text_encoder.hpp"

#include <vector>

#include "common/mail/encoded_word.hpp"

namespace millrace::mail {
namespace {

// Room that is worth starting an encoded-word in: its frame and a few characters.
constexpr std::size_t worthwhile = 32;

bool may_stand(std::string_view word, Place place) {
    if (word.find("=?") != std::string_view::npos) return false;
    for (const char c : word) {
        if (static_cast<unsigned char>(c) > 126) return false;
        if (place == Place::phrase && !is_atext(c)) return false;
        if (place == Place::comment && (c == '(' || c == ')' || c == '\\')) return false;
    }
    return true;
}

// White space as it goes into an encoded-word.
void append_blanks_as_sp(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i)
        out += text[i] == '\t' ? ' ' : text[i];
}

struct Unit {
    std::string_view text;  // words with more than one blank or a tab between them
    bool plain = true;
};

// Cut at single SP: only there a line may be broken without changing what is read.
std::vector<Unit> cut(std::string_view text, Place place) {
    std::vector<Unit> units;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const bool single = i < text.size() && text[i] == ' ' && i != 0 && i + 1 < text.size() &&
                            text[i - 1] != ' ' && text[i - 1] != '\t' && text[i + 1] != ' ' &&
                            text[i + 1] != '\t';
        if (i < text.size() && !single) continue;
        Unit unit{text.substr(begin, i - begin)};
        if (place == Place::unstructured) {
            unit.plain = may_stand(unit.text, place);
        } else {  // blanks within a phrase or comment mean nothing: more than one is kept by
                  // encoding
            unit.plain = may_stand(unit.text, place) &&
                         unit.text.find_first_of(" \t") == std::string_view::npos;
        }
        units.push_back(unit);
        begin = i + 1;
    }
    return units;
}

}  // namespace

bool is_atext(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos);
}

bool LineWriter::fits(std::size_t size) const {
    return column_ + size <= encoded_line_max;
}

void LineWriter::blank_or_fold(std::size_t wanted) {
    // The very first piece stays on the field's own line if an encoded-word has any room there.
    const bool first = out_.empty();
    const bool fold = first ? column_ + 1 + worthwhile > encoded_line_max : !fits(1 + wanted);
    out_ += fold ? "\n " : " ";
    column_ = fold ? 1 : column_ + 1;
}

void LineWriter::put(std::string_view piece) {
    blank_or_fold(piece.size());
    append(piece);
}

void LineWriter::append(std::string_view piece) {
    out_ += piece;
    column_ += piece.size();
}

void LineWriter::put_encoded(std::string_view utf8, std::string_view lead, std::string_view tail) {
    // Whole on this line, or whole on the next, or begun here when that is worth it.
    std::size_t fresh = 1 + lead.size();
    const std::string alone = encode_words(utf8, fresh, tail.size());
    const bool one_word = alone.find('\n') == std::string::npos;
    const std::size_t end = out_.size();
    blank_or_fold(one_word ? lead.size() + alone.size() + tail.size() : worthwhile);
    append(lead);
    std::string words = encode_words(utf8, column_, tail.size());
    if (words.starts_with('\n')) {
        // Not even the first character has room: the fold is the blank, not one more.
        out_.resize(end);
        out_.append("\n ").append(lead);
        column_ = 1 + lead.size();
        words = encode_words(utf8, column_, tail.size());
    }
    out_ += words;
    append(tail);
}

void write_text(LineWriter& out,
                std::string_view utf8,
                Place place,
                std::string_view open,
                std::string_view close) {
    std::vector<Unit> units = cut(utf8, place);
    for (std::size_t i = 0; i < units.size(); ++i) {
        // What no line can hold has to be encoded, so that it can be cut.
        const std::size_t size = units[i].text.size() + (i == 0 ? open.size() : 0) + close.size();
        const std::size_t room =
            i == 0 ? encoded_line_max - std::min(encoded_line_max, out.column() + 1)
                   : encoded_line_max - 1;
        if (size > std::max<std::size_t>(room, worthwhile)) units[i].plain = false;
    }
    std::string run;
    std::size_t run_begin = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
        const bool last = i + 1 == units.size();
        const std::string_view tail = last ? close : std::string_view{};
        if (units[i].plain) {
            std::string piece(i == 0 ? open : std::string_view{});
            piece += units[i].text;
            piece += tail;
            out.put(piece);
            continue;
        }
        if (run.empty()) run_begin = i;
        append_blanks_as_sp(run, units[i].text);
        if (!last && !units[i + 1].plain) {
            run += ' ';
            continue;
        }
        out.put_encoded(run, run_begin == 0 ? open : std::string_view{}, tail);
        run.clear();
    }
}

}  // namespace millrace::mail
