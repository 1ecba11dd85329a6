#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/spool/memory_disk.hpp"

namespace millrace::relay {

/// The model of the spool: what RocksSpool does, on a MemoryDisk and in virtual time. Commits are
/// flushed in groups, as in RocksSpool: a flush takes commit_delay() and begins when the one before
/// it ends. The constructor recovers what the disk kept.
class MemorySpool final : public Spool {
  public:
    struct Options {
        /// How long one flush takes; none: as soon as the loop comes round.
        std::function<Duration()> commit_delay;
    };

    MemorySpool(std::shared_ptr<MemoryDisk> disk,
                asio::any_io_executor executor,
                Clock& clock,
                Log& log,
                Options options);
    ~MemorySpool() override;
    MemorySpool(const MemorySpool&) = delete;

    Task<Result<Committed>> commit(Batch batch) override;
    Task<Result<Body>> body(MessageId id) override;
    Task<Result<Envelope>> envelope(MessageId id) override;
    Task<Result<std::vector<StreamSummary>>> summary() override;
    Task<Result<std::vector<Work>>> aged(bool told,
                                         Time until,
                                         DueCursor after,
                                         unsigned max) override;
    Task<Result<std::vector<Work>>> due(std::string stream,
                                        Time until,
                                        DueCursor after,
                                        unsigned max) override;
    Task<Result<StoredMail>> mail(MessageId id) override;
    Task<Result<std::vector<Work>>> find(WorkFilter filter, WorkKey after, unsigned max) override;
    Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) override;
    Task<Result<std::vector<Event>>> history(MessageId id) override;
    Task<Result<void>> trim(std::uint64_t up_to) override;
    Task<Result<void>> put_note(std::string name, std::string value) override;
    Task<Result<std::string>> note(std::string name) override;
    Task<Result<void>> drop_note(std::string name) override;
    Task<Result<std::vector<Note>>> notes(std::string prefix,
                                          std::string after,
                                          unsigned max) override;
    Task<Result<Stock>> stock() override;
    MessageId last_id() const override;
    SpoolHealth health() const override;

  private:
    struct Flushing;
    struct Core;
    static Task<void> flush(std::shared_ptr<Core> core, std::shared_ptr<Flushing> flushing);
    std::shared_ptr<Core> core_;
};

}  // namespace millrace::relay
