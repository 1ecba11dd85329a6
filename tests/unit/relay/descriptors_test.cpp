// Goal: connections never take the descriptors that the spool needs.
#include "relay/descriptors.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

TEST(Descriptors, EnoughChangesNothing) {
    auto const budget = share_descriptors(descriptors_kept + 2500, 1000, 500);
    EXPECT_EQ(budget.sessions, 1000U);
    EXPECT_EQ(budget.deliveries, 500U);
    EXPECT_TRUE(budget.warning.empty());
}

TEST(Descriptors, TooFewAreSharedOutAndSaid) {
    for (unsigned const limit : {0U, 10U, 512U, 515U, 600U, 1024U, 3011U}) {
        auto const budget = share_descriptors(limit, 1000, 500);
        EXPECT_GE(budget.sessions, 1U);
        EXPECT_GE(budget.deliveries, 1U);
        if (limit >= descriptors_kept + 5) {
            EXPECT_LE(2 * budget.sessions + budget.deliveries + descriptors_kept, limit);
        }
        EXPECT_NE(budget.warning.find("need 3012 open files"), std::string::npos) << budget.warning;
    }
    auto const budget = share_descriptors(1024, 1000, 500);
    EXPECT_EQ(budget.sessions, 204U);
    EXPECT_EQ(budget.deliveries, 102U);
}

}  // namespace
}  // namespace millrace::relay
