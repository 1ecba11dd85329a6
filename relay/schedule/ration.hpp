#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// A limit over hours or days, which a restart must not renew: what may be used is written down
/// before it is used. A promise covers a few messages; when its note is durable they may begin. A
/// crash loses what was promised and not used, and never grants more. Pure: what is to be kept is
/// handed out as text; no clock, no I/O.
class Ration {
  public:
    virtual ~Ration() = default;

    /// The earliest time for a message, as far as time decides; `now`: at once.
    virtual Time next(Time now) const = 0;
    /// Whether a durable promise covers one more message now.
    virtual bool covered(Time now) const = 0;

    /// A message begins. covered(now).
    void take(Time now);
    /// The note to be made durable before more may begin, when there is more to promise and little
    /// is left; then kept() or not_kept(). One at a time.
    std::optional<std::string> promise(Time now);
    void kept();
    void not_kept();
    bool asking() const { return asked_ > 0; }

    /// Gives back what is promised and not used: before the last note of an orderly end.
    void settle();
    /// Something else is to be kept, too.
    bool changed() const { return changed_; }
    /// What is to be kept; every note counts what is promised as used.
    std::string note();

  protected:
    /// Whatever time has ended: windows, days, promises.
    virtual void roll(Time now) = 0;
    virtual void count(Time now) = 0;
    /// How many messages may begin now at most, those that are promised included.
    virtual std::uint64_t room(Time now) const = 0;
    /// How many are promised at a time.
    virtual std::uint64_t portion() const = 0;
    virtual std::string text(std::uint64_t promised) const = 0;
    /// Promises are of a time that is over.
    void revoke();

    std::uint64_t promised_ = 0;  ///< durable and not used
    bool changed_ = false;

  private:
    std::uint64_t asked_ = 0;  ///< on its way to the disk
    bool revoked_ = false;     ///< … but of a time that is over
};

}  // namespace millrace::relay
