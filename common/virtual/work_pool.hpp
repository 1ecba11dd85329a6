#pragma once

#include "common/net/random.hpp"
#include "common/net/work_pool.hpp"
#include "common/virtual/machine.hpp"

namespace millrace::virtual_ {

/// Runs the job at once and answers after a virtual delay.
class VirtualWorkPool final : public WorkPool {
  public:
    /// Delays are uniform in [0, longest].
    VirtualWorkPool(Machine& machine, Random& random, Duration longest)
        : machine_(machine), random_(random), longest_(longest) {}
    Task<void> run(std::function<void()> job) override;

  private:
    Machine& machine_;
    Random& random_;
    Duration longest_;
};

}  // namespace millrace::virtual_
