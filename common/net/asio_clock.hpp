#pragma once

#include <chrono>

#include "common/net/clock.hpp"

namespace millrace {

/// The machine's clock: the steady one, anchored to the wall clock when this object is made.
class AsioClock final : public Clock {
  public:
    AsioClock();
    Time now() const override;
    Time wall() const override;
    Task<void> sleep_until(Time t) override;

  private:
    std::chrono::steady_clock::time_point steady_start_;
    Time start_;
};

}  // namespace millrace
