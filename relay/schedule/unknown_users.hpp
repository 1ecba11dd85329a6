#pragma once

#include <map>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// How many of a sender's bulk recipients one provider does not know. From a tenth on the list is
/// old, bought or guessed, and every further message costs the reputation of all mail: it is held
/// until an operator lets it go. Bounded; pure.
class UnknownUsers {
  public:
    struct Hold {
        Time since{};
        double share = 0;  ///< of recipients that were unknown, 0 to 1
        std::string said;  ///< the last of these replies
        bool operator==(const Hold&) const = default;
    };

    /// One recipient more of that party's (StreamQueue::party); true: the list is held from now on.
    bool count(const std::string& party, bool unknown, const std::string& said, Time now);
    /// Null: it is not held.
    const Hold* held(const std::string& party) const;
    const std::map<std::string, Hold>& holds() const { return holds_; }
    /// On the operator's word only; its recipients are counted anew. False: it was not held.
    bool release(const std::string& party) { return holds_.erase(party) > 0; }
    void restore(const std::string& party, const Hold& hold);

  private:
    struct List {
        double taken = 0, unknown = 0;  ///< of late: an hour ago counts a third
        Time counted{};
    };
    static constexpr std::size_t lists_kept = 1'000;

    List& list_of(const std::string& party, Time now);

    std::map<std::string, List> lists_;
    std::map<std::string, Hold> holds_;
};

/// `shop.example`, `the account shop`: a party, for people.
std::string party_text(const std::string& party);

}  // namespace millrace::relay
