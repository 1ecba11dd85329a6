#include "milter/edit_plan.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

// Goal: the order of edits gives policy::apply's result on an MTA that renumbers after a deletion
// (Postfix) and on one that does not (Sendmail).
namespace millrace::milter {
namespace {

using Kind = policy::Edit::Kind;
using Line = std::pair<std::string, std::string>;

/// What the two MTAs were seen doing with one request (milter.md §1.6).
class Mta {
  public:
    enum class Kind { postfix, sendmail };
    Mta(Kind kind, std::span<const mail::HeaderField> fields) : kind_(kind) {
        for (const auto& f : fields) {
            slots_.push_back({std::string(f.name), std::string(f.value), false});
        }
    }
    void handle(const Operation& o) {
        switch (o.kind) {
            case Operation::Kind::change:
                change(o);
                break;
            case Operation::Kind::add:
                add(o);
                break;
            case Operation::Kind::insert:
                insert(o);
                break;
        }
    }
    std::vector<Line> fields() const {
        std::vector<Line> out;
        for (const Slot& s : slots_) {
            if (!s.deleted) out.emplace_back(s.name, s.value);
        }
        return out;
    }

  private:
    struct Slot {
        std::string name, value;
        bool deleted;
    };
    void change(const Operation& o) {
        int seen = 0;
        for (auto it = slots_.begin(); it != slots_.end(); ++it) {
            if (!mail::same_name(it->name, o.name) || ++seen != o.index) continue;
            if (!o.value.empty()) {
                it->value = o.value;
            } else if (kind_ == Kind::postfix) {
                slots_.erase(it);
            } else {
                it->deleted = true;
            }
            return;
        }
        FAIL() << "request for a field that is not there: " << o.name << " " << o.index;
    }
    void add(const Operation& o) {
        const auto namesake = std::ranges::find_if(
            slots_, [&](const Slot& s) { return mail::same_name(s.name, o.name); });
        const bool before = kind_ == Kind::sendmail && namesake != slots_.end();
        slots_.insert(before ? namesake : slots_.end(), {o.name, o.value, false});
    }
    void insert(const Operation& o) {
        const auto at = std::min(static_cast<std::size_t>(o.index), slots_.size());
        slots_.insert(slots_.begin() + static_cast<std::ptrdiff_t>(at), {o.name, o.value, false});
    }
    Kind kind_;
    std::vector<Slot> slots_;
};

std::vector<Line> lines(const std::vector<mail::OwnedField>& fields) {
    std::vector<Line> out;
    for (const auto& f : fields)
        out.emplace_back(f.name, f.value);
    return out;
}

TEST(EditPlan, GivesTheModelsResultOnBothMtas) {
    std::mt19937 random(7);
    const auto pick = [&](unsigned n) {
        return static_cast<unsigned>(random() % n);
    };
    const std::vector<std::string> names = {"To", "Subject", "Cc", "X-A"};
    for (int round = 0; round < 20'000; ++round) {
        std::vector<mail::OwnedField> owned;
        for (unsigned i = 0, n = pick(9); i < n; ++i) {
            owned.push_back({names[pick(4)], " v" + std::to_string(i)});
        }
        std::vector<mail::HeaderField> fields;
        for (const auto& f : owned)
            fields.push_back({f.name, f.value});
        std::vector<policy::Edit> edits;
        for (const auto& name : names) {
            for (unsigned nth = 1; nth <= mail::count_fields(fields, name); ++nth) {
                const unsigned what = pick(4);
                if (what == 0) edits.push_back({Kind::remove, name, "", nth});
                if (what == 1) edits.push_back({Kind::replace, name, " new", nth});
            }
        }
        for (unsigned i = 0, n = pick(3); i < n; ++i) {
            edits.push_back({Kind::append, names[pick(4)], " added" + std::to_string(i), 0});
        }
        std::ranges::shuffle(edits, random);
        const auto plan = plan_edits(edits, fields);
        ASSERT_TRUE(plan);
        for (const auto kind : {Mta::Kind::postfix, Mta::Kind::sendmail}) {
            Mta mta(kind, fields);
            for (const Operation& o : *plan)
                mta.handle(o);
            ASSERT_EQ(mta.fields(), lines(policy::apply(fields, edits))) << "round " << round;
        }
    }
}

TEST(EditPlan, RefusesToPointBehindTheLastField) {
    const std::vector<mail::HeaderField> fields = {{"To", " a"}};
    for (const unsigned nth : {0u, 2u}) {
        const std::vector<policy::Edit> edits = {{Kind::replace, "To", " b", nth}};
        EXPECT_FALSE(plan_edits(edits, fields));
    }
}

TEST(EditPlan, KeepsAnEmptyFieldAField) {
    const std::vector<mail::HeaderField> fields = {{"Subject", " \x01"}};
    const std::vector<policy::Edit> edits = {{Kind::replace, "Subject", "", 1}};
    EXPECT_EQ(plan_edits(edits, fields)->at(0).value, " ");
}

TEST(EditPlan, RefusesWhatTheProtocolCannotCarry) {
    const std::vector<mail::HeaderField> fields;
    for (const std::string& value : {std::string(" a\r\n b"), std::string(" a\0b", 4)}) {
        const std::vector<policy::Edit> edits = {{Kind::append, "X", value, 0}};
        EXPECT_FALSE(plan_edits(edits, fields));
    }
}

}  // namespace
}  // namespace millrace::milter
