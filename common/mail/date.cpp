#include "common/mail/date.hpp"

#include <array>
#include <string>

#include "common/mail/domain.hpp"

namespace millrace::mail {
namespace {

constexpr std::array<std::string_view, 12> months = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> days = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

struct Zone {
    std::string_view name;
    int hours;
};
constexpr Zone zones[] = {{"ut", 0},
                          {"gmt", 0},
                          {"utc", 0},
                          {"z", 0},
                          {"est", -5},
                          {"edt", -4},
                          {"cst", -6},
                          {"cdt", -5},
                          {"mst", -7},
                          {"mdt", -6},
                          {"pst", -8},
                          {"pdt", -7}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Days since 1970-01-01 in the Gregorian calendar, also before it.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

int days_in_month(std::int64_t year, int month) {
    if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

class DateReader {
  public:
    explicit DateReader(std::string_view text) : text_(text) {}

    std::optional<std::int64_t> run() {
        skip();
        if (at_ < text_.size() && is_letter(text_[at_])) {
            if (index_of(word(), days) < 0) return std::nullopt;
            take(',');
        }
        int day = 0, hour = 0, minute = 0, second = 0;
        if (number(day, 1, 2) == 0) return std::nullopt;
        take('-');  // 21-Nov-97, as some write it
        const int month = index_of(word(), months);
        take('-');
        int year = 0;
        const int digits = number(year, 2, 5);
        if (month < 0 || digits == 0) return std::nullopt;
        if (digits == 2) year += year < 50 ? 2000 : 1900;  // RFC 5322 §4.3
        if (digits == 3) year += 1900;
        if (number(hour, 1, 2) == 0 || !take(':') || number(minute, 2, 2) == 0) return std::nullopt;
        if (take(':') && number(second, 2, 2) == 0) return std::nullopt;
        int zone_minutes = 0;
        if (!zone(zone_minutes)) return std::nullopt;
        if (at_ != text_.size()) return std::nullopt;
        if (year < 1900 || day < 1 || day > days_in_month(year, month + 1) || hour > 23 ||
            minute > 59 || second > 60)
            return std::nullopt;
        return days_from_civil(year, month + 1, day) * 86400 + hour * 3600 + minute * 60 + second -
               zone_minutes * 60;
    }

  private:
    // Blanks, folds and comments.
    void skip() {
        std::size_t depth = 0;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '(') {
                ++depth;
            } else if (c == ')' && depth != 0) {
                --depth;
            } else if (c == '\\' && depth != 0 && at_ + 1 < text_.size()) {
                ++at_;
            } else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n') {
                return;
            }
        }
    }

    bool take(char c) {
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        skip();
        return true;
    }

    std::string word() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_letter(text_[at_]))
            ++at_;
        std::string out = lower(text_.substr(begin, at_ - begin));
        skip();
        return out;
    }

    // Full names count too: Monday, November.
    template <std::size_t N>
    static int index_of(std::string_view name, const std::array<std::string_view, N>& names) {
        for (std::size_t i = 0; i < N; ++i)
            if (name.size() >= 3 && name.starts_with(names[i])) return static_cast<int>(i);
        return -1;
    }

    // How many digits there were; 0 when fewer than `least` or more than `most`.
    int number(int& value, int least, int most) {
        int digits = 0;
        while (at_ < text_.size() && is_digit(text_[at_]) && digits <= most) {
            value = value * 10 + (text_[at_++] - '0');
            ++digits;
        }
        skip();
        return digits < least || digits > most ? 0 : digits;
    }

    bool zone(int& minutes) {
        if (at_ == text_.size()) return true;  // no zone: UTC
        const char sign = text_[at_];
        if (sign == '+' || sign == '-') {
            ++at_;
            int value = 0;
            if (number(value, 4, 4) == 0 || value % 100 > 59) return false;
            minutes = (value / 100 * 60 + value % 100) * (sign == '-' ? -1 : 1);
            return true;
        }
        const std::string name = word();
        for (const Zone& known : zones)
            if (name == known.name) minutes = known.hours * 60;
        return !name.empty();  // others, and military ones, count as -0000 (RFC 5322 §4.3)
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view value) {
    return DateReader(value).run();
}

}  // namespace millrace::mail
