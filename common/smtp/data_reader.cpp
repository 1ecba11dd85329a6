#include "common/smtp/data_reader.hpp"

#include <algorithm>

namespace millrace::smtp {

void DataReader::keep(std::string_view part) {
    size_ += part.size();
    if (size_ > size_max_) {
        std::string().swap(message_);
        return;
    }
    message_ += part;
}

void DataReader::run(std::string_view& bytes) {
    // Whole clean lines in one go: the next LF, and a CR only right before it.
    const std::size_t lf = std::min(bytes.find('\n'), bytes.size());
    const std::size_t cr = std::min(bytes.substr(0, lf).find('\r'), lf);
    const std::string_view part = bytes.substr(0, cr);
    if (part.empty()) {
        step(bytes.front());
        bytes.remove_prefix(1);
        return;
    }
    zero_byte_ = zero_byte_ || part.contains('\0');
    keep(part);
    state_ = State::text;
    bytes.remove_prefix(part.size());
}

void DataReader::feed(std::string_view& bytes) {
    while (!bytes.empty() && state_ != State::done) {
        const bool starts_dot = state_ == State::line_start && bytes.front() == '.';
        if ((state_ == State::text || state_ == State::line_start) && !starts_dot) {
            run(bytes);
        } else {
            step(bytes.front());
            bytes.remove_prefix(1);
        }
    }
}

void DataReader::step(char c) {
    const State before = state_;
    if (before == State::dot_cr && c == '\n') {
        state_ = State::done;
        return;
    }
    if (before == State::dot_cr) {  // the dot was stuffing, its CR stands alone
        bare_cr_ = true;
        keep("\r");
    }
    const bool after_cr = before == State::cr;
    if (after_cr && c != '\n') bare_cr_ = true;
    switch (c) {
        case '\r':
            state_ = before == State::dot ? State::dot_cr : State::cr;
            if (before != State::dot) keep("\r");
            return;
        case '\n':
            if (!after_cr) bare_lf_ = true;
            state_ = after_cr ? State::line_start : State::text;
            break;
        case '.':
            if (before == State::line_start) {
                state_ = State::dot;
                return;
            }
            state_ = State::text;
            break;
        default:
            if (c == '\0') zero_byte_ = true;
            state_ = State::text;
    }
    keep({&c, 1});
}

}  // namespace millrace::smtp
