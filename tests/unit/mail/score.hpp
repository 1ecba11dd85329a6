#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

/// Keeps the score of one table. A row that differs has to be in the table of known differences
/// with its reason, and a known difference has to be one: both a worse and a better result are
/// noticed.
namespace millrace::test {

class Score {
  public:
    using Differences = std::map<std::string, std::string>;

    Score(std::string_view table, const Differences& known) : table_(table), known_(known) {}

    void row(const std::string& id, bool same, const std::string& detail) {
        ++rows_;
        const bool known = known_.contains(id);
        if (same) {
            ++same_;
            EXPECT_FALSE(known) << table_ << " " << id << " agrees now: take it out of the list";
        } else {
            EXPECT_TRUE(known) << table_ << " " << id << ": " << detail;
        }
    }

    ~Score() {
        std::printf("%s: %zu of %zu, %zu differ for a written reason\n",
                    table_.c_str(),
                    same_,
                    rows_,
                    known_.size());
    }

  private:
    std::string table_;
    const Differences& known_;
    std::size_t rows_ = 0;
    std::size_t same_ = 0;
};

}  // namespace millrace::test
